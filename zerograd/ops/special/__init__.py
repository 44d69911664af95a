"""Special functions on NumPy arrays, without SciPy: array in, array of the same float type out.

Written from published series and from polynomials fitted for this project (``tables``, made by
tools/fit_special_functions.py). Poles, infinities and NaN are answered as torch.special answers them, except
where a file says so.
"""
