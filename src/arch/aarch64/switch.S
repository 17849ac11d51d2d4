/* SPDX-License-Identifier: MIT */
/* AArch64 (AAPCS64): what a call must preserve is x19 to x29, the stack pointer and the low halves
 * d8 to d15 of v8 to v15; x30 is the way back.  fpcr is shared by all contexts
 * (doc/design/0004-stacks.md).  SVE needs nothing more, since its own procedure call standard is
 * not used here, and nobody waits in streaming mode.
 *
 * wi_context_switch(void **save, void *target)
 *   x0  where the stack pointer of the leaving context goes
 *   x1  the stack pointer of the coming context
 *
 * The way out is ret although the return predictor pairs it with the call of another context: br
 * would be checked by branch target identification, and what follows a call is no landing site.
 * Return addresses that callers signed stay valid: the modifier is their stack pointer, which comes
 * back with them, and all threads of a process have the same key.  Our own x30 is not signed, as in
 * any leaf. */
        .arch   armv8-a
        .text
        .globl  wi_context_switch
        .hidden wi_context_switch
        .type   wi_context_switch, %function
        .p2align 5
wi_context_switch:
        .cfi_startproc
        hint    #34 /* bti c */
        stp     x29, x30, [sp, #-160]!
        .cfi_def_cfa_offset 160
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -144
        .cfi_offset x20, -136
        stp     x21, x22, [sp, #32]
        .cfi_offset x21, -128
        .cfi_offset x22, -120
        stp     x23, x24, [sp, #48]
        .cfi_offset x23, -112
        .cfi_offset x24, -104
        stp     x25, x26, [sp, #64]
        .cfi_offset x25, -96
        .cfi_offset x26, -88
        stp     x27, x28, [sp, #80]
        .cfi_offset x27, -80
        .cfi_offset x28, -72
        stp     d8, d9, [sp, #96]
        .cfi_offset d8, -64
        .cfi_offset d9, -56
        stp     d10, d11, [sp, #112]
        .cfi_offset d10, -48
        .cfi_offset d11, -40
        stp     d12, d13, [sp, #128]
        .cfi_offset d12, -32
        .cfi_offset d13, -24
        stp     d14, d15, [sp, #144]
        .cfi_offset d14, -16
        .cfi_offset d15, -8
        /* The frames of all contexts look alike, so what was said above holds on both sides of the
         * next two lines, and until the last register is back. */
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #160
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        ret
        .cfi_endproc
        .size   wi_context_switch, . - wi_context_switch

/* Where a fresh context begins: x19 holds the entry function, x20 its argument (see context.c).
 * The undefined return address ends every backtrace here; so does the zero in x29 for those who
 * follow frame records. */
        .globl  wi_context_begin
        .hidden wi_context_begin
        .type   wi_context_begin, %function
        .p2align 4
wi_context_begin:
        .cfi_startproc
        .cfi_undefined x30
        hint    #34 /* bti c */
        mov     x29, xzr
        mov     x30, xzr
        mov     x0, x20
        blr     x19
        brk     #1
        .cfi_endproc
        .size   wi_context_begin, . - wi_context_begin

/* wi_context_hold(fn, arg): the caller's registers lie on the stack as those of a context that
 * does not run, while fn(context, arg) does.
 *   x0  fn, x1 arg; fn gets the address of the saved registers in x0, and arg in x1 */
        .globl  wi_context_hold
        .hidden wi_context_hold
        .type   wi_context_hold, %function
        .p2align 4
wi_context_hold:
        .cfi_startproc
        hint    #34 /* bti c */
        stp     x29, x30, [sp, #-160]!
        .cfi_def_cfa_offset 160
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -144
        .cfi_offset x20, -136
        stp     x21, x22, [sp, #32]
        .cfi_offset x21, -128
        .cfi_offset x22, -120
        stp     x23, x24, [sp, #48]
        .cfi_offset x23, -112
        .cfi_offset x24, -104
        stp     x25, x26, [sp, #64]
        .cfi_offset x25, -96
        .cfi_offset x26, -88
        stp     x27, x28, [sp, #80]
        .cfi_offset x27, -80
        .cfi_offset x28, -72
        stp     d8, d9, [sp, #96]
        .cfi_offset d8, -64
        .cfi_offset d9, -56
        stp     d10, d11, [sp, #112]
        .cfi_offset d10, -48
        .cfi_offset d11, -40
        stp     d12, d13, [sp, #128]
        .cfi_offset d12, -32
        .cfi_offset d13, -24
        stp     d14, d15, [sp, #144]
        .cfi_offset d14, -16
        .cfi_offset d15, -8
        mov     x29, sp
        mov     x9, x0
        mov     x0, sp
        blr     x9
        /* fn has preserved the other registers. */
        ldp     x29, x30, [sp], #160
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        ret
        .cfi_endproc
        .size   wi_context_hold, . - wi_context_hold

/* wi_context_visit(context, fn, arg): calls fn(arg) in a frame that, as its description for
 * unwinders has it, was called by the context: while fn runs x19 says where the registers are that
 * wi_context_switch or wi_context_hold has saved.
 *   x0  context, x1 fn, x2 arg */
        .globl  wi_context_visit
        .hidden wi_context_visit
        .type   wi_context_visit, %function
        .p2align 4
wi_context_visit:
        .cfi_startproc
        hint    #34 /* bti c */
        stp     x29, x30, [sp, #-32]!
        .cfi_def_cfa_offset 32
        .cfi_offset x29, -32
        .cfi_offset x30, -24
        str     x19, [sp, #16]
        .cfi_offset x19, -16
        mov     x29, sp
        mov     x19, x0
        mov     x9, x1
        mov     x0, x2
        .cfi_remember_state
        .cfi_def_cfa x19, 160
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        .cfi_offset x19, -144
        .cfi_offset x20, -136
        .cfi_offset x21, -128
        .cfi_offset x22, -120
        .cfi_offset x23, -112
        .cfi_offset x24, -104
        .cfi_offset x25, -96
        .cfi_offset x26, -88
        .cfi_offset x27, -80
        .cfi_offset x28, -72
        .cfi_offset d8, -64
        .cfi_offset d9, -56
        .cfi_offset d10, -48
        .cfi_offset d11, -40
        .cfi_offset d12, -32
        .cfi_offset d13, -24
        .cfi_offset d14, -16
        .cfi_offset d15, -8
        blr     x9
        .cfi_restore_state
        ldr     x19, [sp, #16]
        .cfi_restore x19
        ldp     x29, x30, [sp], #32
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   wi_context_visit, . - wi_context_visit

        .section .note.GNU-stack, "", %progbits

/* Says that this file keeps to branch targets (1) and pointer authentication (2); one object
 * without the note takes both from the whole program.  Guarded control stacks (4) are left out on
 * purpose: a task does not have one. */
        .section .note.gnu.property, "a"
        .p2align 3
        .word   4, 16, 5
        .asciz  "GNU"
        .word   0xc0000000, 4, 3, 0
