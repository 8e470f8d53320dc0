use std.ops.*

space tokens(text[N, T], classes: int) = text >> embedding(100, 8) >> layer_norm >> mean_over_time >> linear(classes)

primitive mean_over_time(x[N, T, D]) -> y[N, D] {
  y[n, d] = mean[t] x[n, t, d]
}

search digits { space = tokens }
