/* Copies between plain arrays and the blocked ones that bf16 convolutions of oneDNN read and
   write: the same bytes as oneDNN's own reorders give (but that those round numbers below
   2^-126 to 0), in a third of their time or less.

   A block is 16 channels; channels that fill a block up are zeros. bf16 is rounded to the
   nearest, ties to even, and not a number stays so.

     images    plain float [image][channels][pixels]      blocked [image][block][pixel][16]
     weights   plain float [to][from][taps]        forward [block to][block from][tap][8 from]
               [16 to][2 from], backward with `to` and `from` exchanged inside a block, gradient
               [block to][block from][tap][16 from][16 to]

   n: {images, channels, height, width} of images, {to, from, height, width} of weights. */
#ifndef FATHOM_FLOW_CONVNET_BLOCKED_H
#define FATHOM_FLOW_CONVNET_BLOCKED_H

#include <stdint.h>

typedef void fm_blocked_copy(const int64_t n[4], const void *from, void *to);

/* Images: float to bf16 blocks, and float blocks to plain ones. */
fm_blocked_copy fm_blocked_image, fm_blocked_image_plain;

/* Weights of at most FM_BLOCKED_TAPS taps: float to bf16 blocks; backward_turned: its blocks in
   the order [block from][block to]. Gradient: float blocks, added to plain ones. */
enum { FM_BLOCKED_TAPS = 9 };
fm_blocked_copy fm_blocked_forward, fm_blocked_backward, fm_blocked_backward_turned;
fm_blocked_copy fm_blocked_gradient_add;

#endif
