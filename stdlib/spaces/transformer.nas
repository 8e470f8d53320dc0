// A small transformer over patches of an image (Vaswani et al. 2017; Dosovitskiy et al. 2021) with a decided number of layers; each
// layer chooses its heads, the width of its perceptron, its activation, and whether it normalizes before or after.
//
// Attention and positions are the first paper's, patches the second's; the average over all patches is classified, not an extra
// token. No paper fixes this space: `patch`, `width` and `deepest` are what a small machine can train.
use std.ops.*

block perceptron(x[..], hidden: int, out: int) =
  x >> linear(hidden) >> choose activation { relu | gelu | silu } >> linear(out)

block encoder_layer(x[N, T, D]) {
  let heads = choose heads from [1, 2, 4]
  let ratio = choose ratio from [1, 2, 4]
  choose norm {
      before: {
        let y = x + (x >> layer_norm >> self_attention(heads))
        y + (y >> layer_norm >> perceptron(ratio * D, D))
      }
    | after: {
        let y = (x + (x >> self_attention(heads))) >> layer_norm
        (y + (y >> perceptron(ratio * D, D))) >> layer_norm
      }
  }
}

space transformer(image[N, C, H, W], classes: int, patch: int = 2, width: int = 32, deepest: int = 4) {
  let depth = choose depth in 1..=deepest
  image >> patches(patch) >> linear(width) >> positional_encoding
        >> repeat depth as layer { encoder_layer }
        >> layer_norm >> mean_over_steps >> linear(classes)
}
