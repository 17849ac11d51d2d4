/* SPDX-License-Identifier: MIT */
/* System V x86-64: what a call must preserve is rbx, rbp, r12 to r15 and the stack pointer; mxcsr
 * and the x87 control word are shared by all contexts (doc/design/0004-stacks.md).
 *
 * wi_context_switch(void **save, void *target)
 *   rdi  where the stack pointer of the leaving context goes
 *   rsi  the stack pointer of the coming context
 *
 * The way out is pop and jmp: a ret would mispredict, since the return predictor pairs it with the
 * call of another context (3.3 ns against 9.9 measured).  endbr64 marks the landing sites. */
        .text
        .globl  wi_context_switch
        .hidden wi_context_switch
        .type   wi_context_switch, @function
        .p2align 5
wi_context_switch:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        pushq   %rbx
        .cfi_def_cfa_offset 24
        .cfi_offset %rbx, -24
        pushq   %r12
        .cfi_def_cfa_offset 32
        .cfi_offset %r12, -32
        pushq   %r13
        .cfi_def_cfa_offset 40
        .cfi_offset %r13, -40
        pushq   %r14
        .cfi_def_cfa_offset 48
        .cfi_offset %r14, -48
        pushq   %r15
        .cfi_def_cfa_offset 56
        .cfi_offset %r15, -56
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        .cfi_def_cfa_offset 48
        .cfi_restore %r15
        popq    %r14
        .cfi_def_cfa_offset 40
        .cfi_restore %r14
        popq    %r13
        .cfi_def_cfa_offset 32
        .cfi_restore %r13
        popq    %r12
        .cfi_def_cfa_offset 24
        .cfi_restore %r12
        popq    %rbx
        .cfi_def_cfa_offset 16
        .cfi_restore %rbx
        popq    %rbp
        .cfi_def_cfa_offset 8
        .cfi_restore %rbp
        popq    %rcx
        .cfi_def_cfa_offset 0
        .cfi_register %rip, %rcx
        jmpq    *%rcx
        .cfi_endproc
        .size   wi_context_switch, . - wi_context_switch

/* Where a fresh context begins: rbx holds the entry function, r12 its argument (see context.c).
 * The undefined return address ends every backtrace here. */
        .globl  wi_context_begin
        .hidden wi_context_begin
        .type   wi_context_begin, @function
        .p2align 4
wi_context_begin:
        .cfi_startproc
        .cfi_undefined %rip
        endbr64
        xorl    %ebp, %ebp
        movq    %r12, %rdi
        callq   *%rbx
        ud2
        .cfi_endproc
        .size   wi_context_begin, . - wi_context_begin

/* wi_context_hold(fn, arg): the caller's registers lie on the stack as those of a context that
 * does not run, while fn(context, arg) does.
 *   rdi  fn, rsi arg; fn gets the address of the saved registers in rdi, and arg in rsi */
        .globl  wi_context_hold
        .hidden wi_context_hold
        .type   wi_context_hold, @function
        .p2align 4
wi_context_hold:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        pushq   %rbx
        .cfi_def_cfa_offset 24
        .cfi_offset %rbx, -24
        pushq   %r12
        .cfi_def_cfa_offset 32
        .cfi_offset %r12, -32
        pushq   %r13
        .cfi_def_cfa_offset 40
        .cfi_offset %r13, -40
        pushq   %r14
        .cfi_def_cfa_offset 48
        .cfi_offset %r14, -48
        pushq   %r15
        .cfi_def_cfa_offset 56
        .cfi_offset %r15, -56
        movq    %rdi, %rax
        movq    %rsp, %rdi
        subq    $8, %rsp
        .cfi_def_cfa_offset 64
        callq   *%rax
        addq    $56, %rsp /* fn has preserved what was pushed */
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size   wi_context_hold, . - wi_context_hold

/* wi_context_visit(context, fn, arg): calls fn(arg) in a frame that, as its description for
 * unwinders has it, was called by the context: while fn runs rbx says where the registers are that
 * wi_context_switch or wi_context_hold has saved, in the order of their pushes.
 *   rdi  context, rsi fn, rdx arg */
        .globl  wi_context_visit
        .hidden wi_context_visit
        .type   wi_context_visit, @function
        .p2align 4
wi_context_visit:
        .cfi_startproc
        endbr64
        pushq   %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        movq    %rdi, %rbx
        movq    %rsi, %rax
        movq    %rdx, %rdi
        .cfi_remember_state
        .cfi_def_cfa %rbx, 56
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        callq   *%rax
        .cfi_restore_state
        popq    %rbx
        .cfi_def_cfa_offset 8
        .cfi_restore %rbx
        ret
        .cfi_endproc
        .size   wi_context_visit, . - wi_context_visit

        .section .note.GNU-stack, "", @progbits
