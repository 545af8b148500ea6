"""Pure kernels of equilibrax: arrays in, arrays out, one game each; no files, no printing, no jit policy."""
