"""Convolutions by 3x3 kernels with 4 products where the sum over taps has 9."""
