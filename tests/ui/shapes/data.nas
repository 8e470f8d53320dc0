use std.ops.*

space tokens(text[N, T], classes: int) = text >> embedding(100, 8) >> layer_norm >> mean_over_time >> linear(classes) //~ E0802 "the data does not fit the space: `text` has 2 dimensions, but the data"

primitive mean_over_time(x[N, T, D]) -> y[N, D] {
  y[n, d] = mean[t] x[n, t, d]
}

search digits { space = tokens }
