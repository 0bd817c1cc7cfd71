#!/bin/bash
# nvcc as Jittor 1.3.11 calls it, turned into a call that CUDA 13's nvcc takes. @REAL@ is replaced when the tree is built.
arguments=()
for argument in "$@"; do
    case "$argument" in
        -std=c++14) argument=-std=c++17 ;; # CUDA 13's own headers (CCCL) refuse C++14
        # Jittor asks for machine code alone, of sm_90 at most; with PTX beside it the driver can translate it for newer cards
        -arch=compute_*) arguments+=("-code=${argument#-arch=}") ;;
    esac
    arguments+=("$argument")
done
exec @REAL@ "${arguments[@]}"
