"""The public functions of tensors, a file per kind.

Each file ends with ``METHODS``, the names under which Tensor has its functions, and ``IN_PLACE``, those that also
exist with a trailing underscore. Most files load when one of their names is first used: see ``zerograd.lazily``.
"""
