// The instructions of AutoML-Zero (Real et al. 2020, table S1), for `algorithms(..)`.
//
// An instruction is a primitive: tensors without an axis are scalars, with one vectors, with two matrices, and every axis
// is as long as there are features. So one equation over `..` is three instructions, one for each kind of memory. A
// primitive of your own is an instruction as well, if it has no weights.
//
//   * A knob is a constant of the instruction. A new one is drawn from -1 to 1.
//   * An input called `old` is not given: it is what the result's place held before.
//   * In `algorithm`s, `+ - * /` are `add sub mul div` (or `scale`), and a number is a `constant`.
//
// Numbers have 64 bits. Where the original's program and its paper differ, these are the program's meanings.

// ------------------------------------------------------------------------------------------------------ arithmetic

// The sum.
primitive add(a[..], b[..]) -> y[..] {
  y[..] = a[..] + b[..]
}

// The difference.
primitive sub(a[..], b[..]) -> y[..] {
  y[..] = a[..] - b[..]
}

// The product, element by element.
primitive mul(a[..], b[..]) -> y[..] {
  y[..] = a[..] * b[..]
}

// The quotient, element by element; a division by 0 is infinite, or not a number.
primitive div(a[..], b[..]) -> y[..] {
  y[..] = a[..] / b[..]
}

// A scalar times a vector or a matrix.
primitive scale(a[], x[F, ..]) -> y[F, ..] {
  y[i, ..] = a * x[i, ..]
}

// Without the sign.
primitive absolute(x[..]) -> y[..] {
  y[..] = abs(x[..])
}

// One divided by it.
primitive reciprocal(x[..]) -> y[..] {
  y[..] = 1 / x[..]
}

// The less of two; where the first is not a number, the result is not.
primitive minimum(a[..], b[..]) -> y[..] {
  y[..] = if b[..] < a[..] { b[..] } else { a[..] }
}

// The greater of two; where the first is not a number, the result is not.
primitive maximum(a[..], b[..]) -> y[..] {
  y[..] = if a[..] < b[..] { b[..] } else { a[..] }
}

// The less of two matrices; where the second is not a number, the result is not.
primitive matrix_minimum(a[F, F], b[F, F]) -> y[F, F] {
  y[i, j] = if a[i, j] < b[i, j] { a[i, j] } else { b[i, j] }
}

// The greater of two matrices; where the second is not a number, the result is not.
primitive matrix_maximum(a[F, F], b[F, F]) -> y[F, F] {
  y[i, j] = if b[i, j] < a[i, j] { a[i, j] } else { b[i, j] }
}

// ------------------------------------------------------------------------------------------------- scalar functions

// The sine.
primitive sine(x[]) -> y {
  y = sin(x)
}

// The cosine.
primitive cosine(x[]) -> y {
  y = cos(x)
}

// The tangent.
primitive tangent(x[]) -> y {
  y = tan(x)
}

// The inverse of the sine; not a number outside of -1 to 1.
primitive arcsine(x[]) -> y {
  y = asin(x)
}

// The inverse of the cosine; not a number outside of -1 to 1.
primitive arccosine(x[]) -> y {
  y = acos(x)
}

// The inverse of the tangent.
primitive arctangent(x[]) -> y {
  y = atan(x)
}

// The exponential.
primitive exponential(x[]) -> y {
  y = exp(x)
}

// The natural logarithm; not a number below 0.
primitive logarithm(x[]) -> y {
  y = log(x)
}

// 1 from 0 on, else 0.
primitive heaviside(x[]) -> y {
  y = if 0 <= x { 1 } else { 0 }
}

// 1 above 0, else 0, element by element.
primitive positive(x[F, ..]) -> y[F, ..] {
  y[i, ..] = if 0 < x[i, ..] { 1 } else { 0 }
}

// ------------------------------------------------------------------------------------------------- linear algebra

// The inner product of two vectors.
primitive dot(a[F], b[F]) -> y {
  y = sum[i] a[i] * b[i]
}

// The outer product of two vectors.
primitive outer(a[F], b[F]) -> y[F, F] {
  y[i, j] = a[i] * b[j]
}

// A matrix times a vector.
primitive matvec(a[F, F], x[F]) -> y[F] {
  y[i] = sum[j] a[i, j] * x[j]
}

// A matrix times a matrix.
primitive matmul(a[F, F], b[F, F]) -> y[F, F] {
  y[i, j] = sum[k] a[i, k] * b[k, j]
}

// Rows become columns.
primitive transpose(a[F, F]) -> y[F, F] {
  y[i, j] = a[j, i]
}

// The scalar in every place of a vector.
primitive broadcast(old[F], x[]) -> y[F] {
  y[i] = x + 0 * i
}

// Every column is the vector.
primitive columns(x[F]) -> y[F, F] {
  y[i, j] = x[i] + 0 * j
}

// Every row is the vector.
primitive rows(x[F]) -> y[F, F] {
  y[i, j] = x[j] + 0 * i
}

// The Euclidean (of a matrix: Frobenius) norm.
primitive norm(x[F, ..]) -> y {
  y = sqrt(sum[i, ..] x[i, ..] * x[i, ..])
}

// The norm of each column.
primitive column_norms(a[F, F]) -> y[F] {
  y[j] = sqrt(sum[i] a[i, j] * a[i, j])
}

// The norm of each row.
primitive row_norms(a[F, F]) -> y[F] {
  y[i] = sqrt(sum[j] a[i, j] * a[i, j])
}

// ------------------------------------------------------------------------------------------------------- statistics

// The mean of all elements.
primitive average(x[F, ..]) -> y {
  y = mean[i, ..] x[i, ..]
}

// The mean of each row.
primitive row_averages(a[F, F]) -> y[F] {
  y[i] = mean[j] a[i, j]
}

// The standard deviation of all elements: of them, not of a population that they are drawn from.
primitive spread(x[F, ..]) -> y {
  m = mean[i, ..] x[i, ..]
  q = mean[i, ..] x[i, ..] * x[i, ..]
  y = sqrt(q - m * m)
}

// The standard deviation of each row.
primitive row_spreads(a[F, F]) -> y[F] {
  m[i] = mean[j] a[i, j]
  q[i] = mean[j] a[i, j] * a[i, j]
  y[i] = sqrt(q[i] - m[i] * m[i])
}

// ------------------------------------------------------------------------------------------------ constants, chance

// A number.
primitive constant() -> y {
  knob value = 0.0
  y = value
}

// One element of a vector becomes a number. `at` is the place as a share of the length; its whole part does not matter.
primitive put(old[F]) -> y[F] {
  knob at = 0.0
  knob value = 0.0
  y[i] = if floor((at - floor(at)) * F) == i { value } else { old[i] }
}

// One element of a matrix becomes a number.
primitive put_matrix(old[F, F]) -> y[F, F] {
  knob row = 0.0
  knob column = 0.0
  knob value = 0.0
  y[i, j] = if floor((row - floor(row)) * F) == i && floor((column - floor(column)) * F) == j {
    value
  } else {
    old[i, j]
  }
}

// Drawn uniformly between two numbers, each element anew; where they are in the wrong order, the first of them.
primitive random_uniform(old[..]) -> y[..] {
  knob low = -1.0
  knob high = 1.0
  if training {
    y[..] = low + max(high - low, 0) * uniform()
  } else {
    y[..] = low
  }
}

// Drawn normally, each element anew; the sign of `deviation` does not matter (Box and Muller 1958).
primitive gaussian(old[..]) -> y[..] {
  knob mean = 0.0
  knob deviation = 1.0
  if training {
    y[..] = mean + abs(deviation) * sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform())
  } else {
    y[..] = mean
  }
}

// ------------------------------------------------------------------------------------------------------------- sets

// What a line of school arithmetic needs.
fn arithmetic() = [add, sub, mul, div, scale]

// Products and sums of vectors and matrices.
fn linear_algebra() = [dot, outer, matvec, matmul, transpose, broadcast, columns, rows, norm, column_norms, row_norms]

// Functions of a scalar.
fn functions() = [sine, cosine, tangent, arcsine, arccosine, arctangent, exponential, logarithm, heaviside]

// Means and deviations.
fn statistics() = [average, row_averages, spread, row_spreads]

// Numbers that learning starts with.
fn constants() = [constant, put, put_matrix, random_uniform, gaussian]

// All of AutoML-Zero's.
fn automl_zero() = arithmetic()
    + [absolute, reciprocal, minimum, maximum, matrix_minimum, matrix_maximum, positive]
    + functions()
    + linear_algebra()
    + statistics()
    + constants()
