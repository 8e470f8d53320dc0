// The operations that networks are made of.
//
// A primitive is an equation over indices. Upper-case names are extents, bound by the shape of what comes in; lower-case
// names are indices. Gradients and machine code are derived from the equations, so a primitive of your own is as good
// as these. Two rules carry most of this file:
//
//   * A term that reads outside a tensor is dropped from its reduction. So a convolution is padded with zeros, a maximum
//     ignores the border, and an average counts only the pixels that are there.
//   * `..` stands for any further dimensions.
//
// Images are [N, C, H, W], sequences are [N, T, D]: N examples, C channels, T steps, D features. Windows of size k are
// centred for odd k; for even k the extra place lies after the centre. A stride s gives ceil(H / s) rows.

// -------------------------------------------------------------------------------------------------- convolutions

// Convolution (LeCun et al. 1989); no bias, as it is followed by a normalization nearly always.
// With groups > 1, output channels see their own group of input channels only (Krizhevsky et al. 2012); the groups must
// divide both numbers of channels, which the weight's extents say, since a `/` in an extent is exact.
primitive conv(x[N, C, H, W], out: int, k: int = 3, stride: int = 1, dilation: int = 1, groups: int = 1)
  -> y[N, out, ceil(H / stride), ceil(W / stride)] {
  param w[(out / groups) * groups, C / groups, k, k] = he_normal(fan_in = (C / groups) * k * k)
  let before = (k - 1) / 2
  let group = out / groups
  y[n, o, i, j] = sum[c, u, v]
      x[n, (o / group) * (C / groups) + c, i * stride + (u - before) * dilation, j * stride + (v - before) * dilation]
      * w[o, c, u, v]
}

// Convolution with a window that need not be square: `height` by `width`, moving `down` rows and `across` columns at a time
// (Szegedy et al. 2016, section 3.2: 1x7 and then 7x1 see what 7x7 sees, at two sevenths of the cost).
primitive conv_rect(x[N, C, H, W], out: int, height: int, width: int, down: int = 1, across: int = 1)
  -> y[N, out, ceil(H / down), ceil(W / across)] {
  param w[out, C, height, width] = he_normal(fan_in = C * height * width)
  let above = (height - 1) / 2
  let before = (width - 1) / 2
  y[n, o, i, j] = sum[c, u, v] x[n, c, i * down + u - above, j * across + v - before] * w[o, c, u, v]
}

// One filter for each channel: the spatial half of a separable convolution (Sifre 2014).
primitive depthwise(x[N, C, H, W], k: int = 3, stride: int = 1, dilation: int = 1)
  -> y[N, C, ceil(H / stride), ceil(W / stride)] {
  param w[C, k, k] = he_normal(fan_in = k * k)
  let before = (k - 1) / 2
  y[n, c, i, j] = sum[u, v]
      x[n, c, i * stride + (u - before) * dilation, j * stride + (v - before) * dilation] * w[c, u, v]
}

// Transposed convolution, the adjoint of `conv`: it enlarges by the stride (Zeiler et al. 2010). Written from the
// output's side: pixel i meets every stride-th tap of the kernel, beginning with its own phase.
primitive conv_transpose(x[N, C, H, W], out: int, k: int = 4, stride: int = 2) -> y[N, out, H * stride, W * stride] {
  param w[C, out, k, k] = he_normal(fan_in = C * k * k)
  let before = (k - 1) / 2
  y[n, o, i, j] = sum[c, a: ceil(k / stride), b: ceil(k / stride)]
      x[n, c, (i + before) / stride - a, (j + before) / stride - b]
      * w[c, o, (i + before) % stride + a * stride, (j + before) % stride + b * stride]
}

// Activation, convolution, normalization: the order of NAS-Bench-201, DARTS and pre-activation ResNets.
block conv_bn(x[..], c: int, k: int = 3, stride: int = 1) = x >> relu >> conv(c, k, stride) >> batch_norm

// Depthwise-separable convolution, applied twice (Zoph et al. 2018); the stride is in the first half.
block sep_conv(x[..], c: int, k: int = 3, stride: int = 1) =
  x >> relu >> depthwise(k, stride) >> conv(c, 1) >> batch_norm
    >> relu >> depthwise(k)         >> conv(c, 1) >> batch_norm

// Dilated depthwise-separable convolution, applied once (Liu et al. 2019, DARTS): 3x3 sees 5x5.
block dil_conv(x[..], c: int, k: int = 3, stride: int = 1, dilation: int = 2) =
  x >> relu >> depthwise(k, stride, dilation) >> conv(c, 1) >> batch_norm

// The basic block of a ResNet as NAS-Bench-201 builds it (Dong and Yang 2020): two 3x3 convolutions beside a shortcut,
// which averages 2x2 pixels where the stride is 2 and changes the channels by a 1x1 convolution.
block residual(x[N, C, H, W], c: int, stride: int = 1) {
  let main = x >> conv_bn(c, 3, stride) >> conv_bn(c, 3)
  let shortcut = if stride > 1 {
    x >> avg_pool(stride, stride) >> conv(c, 1)
  } else if C != c {
    x >> conv_bn(c, 1)
  } else {
    x
  }
  main + shortcut
}

// Halves the image without losing pixels: two 1x1 convolutions of stride 2, the second on the image shifted by one
// pixel, side by side (Zoph et al. 2018; DARTS).
block factorized_reduce(x[..], c: int) {
  let y = x >> relu
  concat([y >> conv(c / 2, 1, 2), y >> shift(1) >> conv(c - c / 2, 1, 2)]) >> batch_norm
}

// The image moved up and to the left; what comes in at the border is 0.
primitive shift(x[N, C, H, W], by: int = 1) -> y[N, C, H, W] {
  y[n, c, i, j] = x[n, c, i + by, j + by]
}

// -------------------------------------------------------------------------------------------------------- pooling

// The largest value of each window.
primitive max_pool(x[N, C, H, W], k: int = 3, stride: int = 1) -> y[N, C, ceil(H / stride), ceil(W / stride)] {
  let before = (k - 1) / 2
  y[n, c, i, j] = max[u: k, v: k] x[n, c, i * stride + u - before, j * stride + v - before]
}

// The average of each window; padding does not count.
primitive avg_pool(x[N, C, H, W], k: int = 3, stride: int = 1) -> y[N, C, ceil(H / stride), ceil(W / stride)] {
  let before = (k - 1) / 2
  y[n, c, i, j] = mean[u: k, v: k] x[n, c, i * stride + u - before, j * stride + v - before]
}

// One average for each channel (Lin et al. 2014).
primitive global_avg_pool(x[N, C, H, W]) -> y[N, C] {
  y[n, c] = mean[i, j] x[n, c, i, j]
}

// One maximum for each channel.
primitive global_max_pool(x[N, C, H, W]) -> y[N, C] {
  y[n, c] = max[i, j] x[n, c, i, j]
}

// -------------------------------------------------------------------------------------------------- normalization

// Batch normalization (Ioffe and Szegedy 2015): each channel gets mean 0 and variance 1 over the batch, in inference
// over the running statistics, then a learned scale and offset. Works on [N, C] and on [N, C, H, W].
primitive batch_norm(x[N, C, ..], momentum: float = 0.1, eps: float = 1e-5) -> y[N, C, ..] {
  param gamma[C] = 1
  param beta[C] = 0
  state running_mean[C] = 0
  state running_var[C] = 1
  if training {
    mu[c] = mean[n, ..] x[n, c, ..]
    variance[c] = mean[n, ..] (x[n, c, ..] - mu[c])^2
    running_mean[c] <- (1 - momentum) * running_mean[c] + momentum * mu[c]
    running_var[c] <- (1 - momentum) * running_var[c] + momentum * variance[c]
  } else {
    mu[c] = running_mean[c]
    variance[c] = running_var[c]
  }
  scale[c] = gamma[c] * rsqrt(variance[c] + eps)
  y[n, c, ..] = (x[n, c, ..] - mu[c]) * scale[c] + beta[c]
}

// Layer normalization (Ba et al. 2016), over the last axis.
primitive layer_norm(x[.., D], eps: float = 1e-5) -> y[.., D] {
  param gamma[D] = 1
  param beta[D] = 0
  mu[..] = mean[d] x[.., d]
  variance[..] = mean[d] (x[.., d] - mu[..])^2
  scale[..] = rsqrt(variance[..] + eps)
  y[.., d] = (x[.., d] - mu[..]) * scale[..] * gamma[d] + beta[d]
}

// Group normalization (Wu and He 2018): each example and group of channels by itself.
primitive group_norm(x[N, C, H, W], groups: int = 8, eps: float = 1e-5) -> y[N, C, H, W] {
  param gamma[C] = 1
  param beta[C] = 0
  let size = C / groups
  mu[n, g: groups] = mean[c: C / groups, i, j] x[n, g * size + c, i, j]
  variance[n, g: groups] = mean[c: C / groups, i, j] (x[n, g * size + c, i, j] - mu[n, g])^2
  scale[n, g] = rsqrt(variance[n, g] + eps)
  y[n, c, i, j] = (x[n, c, i, j] - mu[n, c / size]) * scale[n, c / size] * gamma[c] + beta[c]
}

// ---------------------------------------------------------------------------------------------------- activations

primitive identity(x[..]) -> y[..] {
  y[..] = x[..]
}

// The gradient at 0 is 0.
primitive relu(x[..]) -> y[..] {
  y[..] = max(x[..], 0)
}

primitive leaky_relu(x[..], slope: float = 0.01) -> y[..] {
  y[..] = if x[..] > 0 { x[..] } else { slope * x[..] }
}

// x times the probability that a normal number is below x (Hendrycks and Gimpel 2016).
primitive gelu(x[..]) -> y[..] {
  y[..] = 0.5 * x[..] * (1 + erf(x[..] * 0.7071067811865476))
}

// Also called swish (Elfwing et al. 2018; Ramachandran et al. 2018).
primitive silu(x[..]) -> y[..] {
  y[..] = x[..] * sigmoid(x[..])
}

primitive sigmoid(x[..]) -> y[..] {
  y[..] = sigmoid(x[..])
}

primitive tanh(x[..]) -> y[..] {
  y[..] = tanh(x[..])
}

// Over the last axis. The maximum is taken off first, so that no exponential overflows.
primitive softmax(x[.., K]) -> y[.., K] {
  e[.., k] = exp(x[.., k] - max[l] x[.., l])
  y[.., k] = e[.., k] / (sum[l] e[.., l])
}

// ---------------------------------------------------------------------------------------------------- dense layers

// Fully connected, over the last axis: [N, F] to [N, out], and [N, T, F] to [N, T, out].
primitive linear(x[.., F], out: int) -> y[.., out] {
  param w[out, F] = he_normal(fan_in = F)
  param b[out] = 0
  y[.., o] = b[o] + sum[f] x[.., f] * w[o, f]
}

// All features of an image in one row.
primitive flatten(x[N, C, H, W]) -> y[N, C * H * W] {
  y[n, f] = x[n, f / (H * W), (f / W) % H, f % W]
}

// Squeeze-and-excitation (Hu et al. 2018): a gate for each channel, computed from all channels' averages.
block squeeze_excite(x[N, C, H, W], ratio: int = 4) {
  let gate = x >> global_avg_pool >> linear(max(C / ratio, 1)) >> relu >> linear(C) >> sigmoid
  scale_channels(x, gate)
}

primitive scale_channels(x[N, C, H, W], gate[N, C]) -> y[N, C, H, W] {
  y[n, c, i, j] = x[n, c, i, j] * gate[n, c]
}

// ------------------------------------------------------------------------------------------------------ sequences

// A learned vector for each token.
primitive embedding(token[..], vocabulary: int, dim: int) -> y[.., dim] {
  param table[vocabulary, dim] = normal(0.02)
  y[.., d] = table[token[..], d]
}

// Adds sines and cosines of the position, in pairs of features, with wave lengths from 2 pi to 10000 * 2 pi
// (Vaswani et al. 2017, section 3.5).
primitive positional_encoding(x[N, T, D]) -> y[N, T, D] {
  angle[t: T, d: D] = t * exp(-log(10000) * 2 * floor(d / 2) / D)
  y[n, t, d] = x[n, t, d] + (if d % 2 == 0 { sin(angle[t, d]) } else { cos(angle[t, d]) })
}

// Scaled dot-product attention in several heads (Vaswani et al. 2017, section 3.2). Head h owns the features
// h * size up to (h + 1) * size of queries, keys and values.
primitive attention(query[N, T, D], key[N, S, D], value[N, S, D], heads: int = 4) -> y[N, T, D] {
  let size = D / heads
  score[n, h: heads, t, s] = sum[d: D / heads] query[n, t, h * size + d] * key[n, s, h * size + d]
  e[n, h, t, s] = exp((score[n, h, t, s] - max[r] score[n, h, t, r]) / sqrt(size))
  weight[n, h, t, s] = e[n, h, t, s] / (sum[r] e[n, h, t, r])
  y[n, t, d] = sum[s] weight[n, d / size, t, s] * value[n, s, d]
}

// Multi-head self-attention: every step looks at every step.
block self_attention(x[N, T, D], heads: int = 4) =
  attention(x >> linear(D), x >> linear(D), x >> linear(D), heads) >> linear(D)

// Cuts an image into size x size patches, one token each (Dosovitskiy et al. 2021).
primitive patches(x[N, C, H, W], size: int = 4) -> y[N, (H / size) * (W / size), C * size * size] {
  let across = W / size
  y[n, t, f] = x[n, f / (size * size), (t / across) * size + (f / size) % size, (t % across) * size + f % size]
}

// The average over all steps.
primitive mean_over_steps(x[N, T, D]) -> y[N, D] {
  y[n, d] = mean[t] x[n, t, d]
}

// ------------------------------------------------------------------------------------------------- regularization

// Zeroes each element with probability p in training and scales the others up (Srivastava et al. 2014).
primitive dropout(x[..], p: float = 0.5) -> y[..] {
  if training {
    keep[..] = if uniform() < p { 0 } else { 1 / (1 - p) }
    y[..] = x[..] * keep[..]
  } else {
    y[..] = x[..]
  }
}

// Zeroes whole examples of a path with probability p in training (Larsson et al. 2017, FractalNet). The knob p is set
// while training runs, so a schedule costs no compilation. With `depth` from 0 to 1 deeper layers are dropped more, and
// p rising over time makes ScheduledDropPath (Zoph et al. 2018).
primitive drop_path(x[N, ..], depth: float = 1.0) -> y[N, ..] {
  knob p = 0.0
  if training {
    keep[n: N] = if uniform() < p * depth { 0 } else { 1 / (1 - p * depth) }
    y[n, ..] = x[n, ..] * keep[n]
  } else {
    y[n, ..] = x[n, ..]
  }
}

// -------------------------------------------------------------------------------------------------------- adapters

// The sum of two tensors of one shape; `a + b` is the same.
primitive add(a[..], b[..]) -> y[..] {
  y[..] = a[..] + b[..]
}

// Zeros around an image and after its channels, so that it has the given size (Zoph and Le 2017, for skip connections
// between layers of different sizes). The image stays in the middle.
primitive pad_to(x[N, C, H, W], channels: int, height: int, width: int) -> y[N, channels, height, width] {
  let top = (height - H) / 2
  let left = (width - W) / 2
  y[n, c: channels, i, j] = x[n, c, i - top, j - left]
}

// c channels by a 1x1 convolution, where there are not c already.
block fit(x[N, C, H, W], c: int) = if C == c { x } else { x >> conv_bn(c, 1) }

// c channels and the image size of `like`, which may be as large as x or half as large: the input of a cell that stands
// behind a reduction cell (Zoph et al. 2018; DARTS).
block fit_like(x[N, C, H, W], like[N, D, P, Q], c: int) =
  if H == P && W == Q { x >> fit(c) } else { x >> factorized_reduce(c) }

// ----------------------------------------------------------------------------------------------- losses and metrics

// The mean of -log softmax(logits)[label]. A label outside of the classes (-1, say) does not count.
primitive cross_entropy(logits[.., K], label[..]) -> loss {
  top[..] = max[k] logits[.., k]
  total[..] = top[..] + log(sum[k] exp(logits[.., k] - top[..]))
  loss = mean[..] (total[..] - logits[.., label[..]])
}

// Cross entropy against (1 - smoothing) of the label and `smoothing` of the uniform distribution (Szegedy et al. 2016).
primitive label_smoothing(logits[.., K], label[..], smoothing: float = 0.1) -> loss {
  top[..] = max[k] logits[.., k]
  total[..] = top[..] + log(sum[k] exp(logits[.., k] - top[..]))
  average[..] = mean[k] logits[.., k]
  loss = mean[..] (total[..] - (1 - smoothing) * logits[.., label[..]] - smoothing * average[..])
}

primitive mean_squared_error(y[..], target[..]) -> loss {
  loss = mean[..] (y[..] - target[..])^2
}

// The share of examples whose label has the largest logit. Among equal ones the first counts as the largest, as for
// argmax; a logit that is not a number is never right.
primitive accuracy(logits[.., K], label[..]) -> fraction {
  own[..] = logits[.., label[..]]
  right[..] = min[k]
      (if logits[.., k] < own[..] || k == label[..] && own[..] <= own[..] || logits[.., k] == own[..] && k > label[..] {
        1
      } else {
        0
      })
  fraction = mean[..] right[..]
}

// ----------------------------------------------------------------------------------------------------- optimizers
//
// A primitive over a weight and its gradient gives the next weight. Its states live as long as the weight; its knobs
// are set at each step, so that schedules cost no compilation.

// Stochastic gradient descent with momentum (Polyak 1964) or, with nesterov = 1, Nesterov's (Sutskever et al. 2013).
// `decay` is the L2 penalty's factor.
primitive sgd(w[..], g[..]) -> next[..] {
  knob lr = 0.025
  knob momentum = 0.0
  knob decay = 0.0
  knob nesterov = 0.0
  state velocity[..] = 0
  slope[..] = g[..] + decay * w[..]
  fast[..] = momentum * velocity[..] + slope[..]
  velocity[..] <- fast[..]
  next[..] = w[..] - lr * (if nesterov > 0 { slope[..] + momentum * fast[..] } else { fast[..] })
}

// Adam (Kingma and Ba 2015, algorithm 1). `decay` is the L2 penalty's factor.
primitive adam(w[..], g[..]) -> next[..] {
  knob lr = 1e-3
  knob beta1 = 0.9
  knob beta2 = 0.999
  knob eps = 1e-8
  knob decay = 0.0
  state m[..] = 0
  state v[..] = 0
  state t = 0
  step = t + 1
  slope[..] = g[..] + decay * w[..]
  first[..] = beta1 * m[..] + (1 - beta1) * slope[..]
  second[..] = beta2 * v[..] + (1 - beta2) * slope[..]^2
  m[..] <- first[..]
  v[..] <- second[..]
  t <- step
  unbias1 = 1 / (1 - pow(beta1, step))
  unbias2 = 1 / (1 - pow(beta2, step))
  next[..] = w[..] - lr * first[..] * unbias1 / (sqrt(second[..] * unbias2) + eps)
}

// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).
primitive adamw(w[..], g[..]) -> next[..] {
  knob lr = 1e-3
  knob beta1 = 0.9
  knob beta2 = 0.999
  knob eps = 1e-8
  knob decay = 0.01
  state m[..] = 0
  state v[..] = 0
  state t = 0
  step = t + 1
  first[..] = beta1 * m[..] + (1 - beta1) * g[..]
  second[..] = beta2 * v[..] + (1 - beta2) * g[..]^2
  m[..] <- first[..]
  v[..] <- second[..]
  t <- step
  unbias1 = 1 / (1 - pow(beta1, step))
  unbias2 = 1 / (1 - pow(beta2, step))
  next[..] = w[..] - lr * (first[..] * unbias1 / (sqrt(second[..] * unbias2) + eps) + decay * w[..])
}
