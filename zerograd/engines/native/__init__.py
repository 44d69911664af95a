"""The native engine: graphs become kernels in LLVM IR, and one program of them runs on all threads."""
