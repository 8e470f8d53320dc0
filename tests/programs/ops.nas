// Primitives: an equation over indices. Upper case names extents, lower case names indices. A file that brings its own
// operations needs nothing of the library's.
primitive relu(x[..]) -> y[..] {
  y[..] = max(x[..], 0)
}

primitive conv(x[N, C, H, W], out: int, k: int = 3, stride: int = 1, dilation: int = 1, groups: int = 1)
  -> y[N, out, ceil(H / stride), ceil(W / stride)] {
  param w[out, C / groups, k, k] = he_normal(fan_in = C / groups * k * k)
  y[n, o, i, j] = sum[c, u, v]
      x[n, c + (o / (out / groups)) * (C / groups), i * stride + (u - k / 2) * dilation, j * stride + (v - k / 2) * dilation]
    * w[o, c, u, v]
}

primitive depthwise(x[N, C, H, W], k: int, stride: int = 1, dilation: int = 1)
  -> y[N, C, ceil(H / stride), ceil(W / stride)] {
  param w[C, k, k] = he_normal(fan_in = k * k)
  y[n, c, i, j] = sum[u, v] x[n, c, i * stride + (u - k / 2) * dilation, j * stride + (v - k / 2) * dilation] * w[c, u, v]
}

primitive max_pool(x[N, C, H, W], k: int = 3, stride: int = 1) -> y[N, C, ceil(H / stride), ceil(W / stride)] {
  y[n, c, i, j] = max[u: k, v: k] x[n, c, i * stride + u - k / 2, j * stride + v - k / 2]
}

primitive linear(x[N, F], out: int) -> y[N, out] {
  param w[out, F] = he_normal(fan_in = F)
  param b[out] = 0
  y[n, o] = b[o] + sum[f] x[n, f] * w[o, f]
}

primitive batch_norm(x[N, C, H, W], momentum: float = 0.1, eps: float = 1e-5) -> y[N, C, H, W] {
  param gamma[C] = 1
  param beta[C] = 0
  state running_mean[C] = 0
  state running_var[C] = 1
  if training {
    mu[c] = mean[n, i, j] x[n, c, i, j]
    variance[c] = mean[n, i, j] (x[n, c, i, j] - mu[c])^2
    running_mean[c] <- (1 - momentum) * running_mean[c] + momentum * mu[c]
    running_var[c] <- (1 - momentum) * running_var[c] + momentum * variance[c]
  } else {
    mu[c] = running_mean[c]
    variance[c] = running_var[c]
  }
  y[n, c, i, j] = gamma[c] * (x[n, c, i, j] - mu[c]) * rsqrt(variance[c] + eps) + beta[c]
}

primitive global_avg_pool(x[N, C, H, W]) -> y[N, C] {
  y[n, c] = mean[i, j] x[n, c, i, j]
}

block conv_bn(x[..], c: int, k: int, stride: int = 1) = x >> relu >> conv(c, k, stride) >> batch_norm

block sep_conv(c: int, k: int, stride: int = 1) =
     relu >> depthwise(k, stride) >> conv(c, 1) >> batch_norm
  >> relu >> depthwise(k)         >> conv(c, 1) >> batch_norm

space own(image[N, C, H, W], classes: int) {
  image >> conv(8) >> batch_norm
        >> choose first { plain: conv_bn(8, 3, 2) | separable: sep_conv(8, 5, 2) | grouped: conv(8, 3, 2, groups = 4) }
        >> choose second { conv_bn(8, 1) | max_pool(3) }
        >> global_avg_pool >> linear(classes)
}

search own_ops {
  data  = digits()
  space = own()
}
