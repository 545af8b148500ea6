"""The kernels as compiled loops for CPUs: one table at a time, as much work as that table needs.

The modules have the names of the JAX kernels, which say what is computed and why; here is how a loop does it. Every
loop takes a range of tables and writes its answers in place, so `threads.run_over_tables` can deal ranges to threads,
and no bit of an answer depends on how many there are. A loop is compiled once for all shapes and kept on disk.

Letters: B tables, N entries of a list, K providers, P = K + 1 players (the user first), X states, A actions,
C committees, R = X A outcomes, W 64-bit words with a bit per outcome.
"""
