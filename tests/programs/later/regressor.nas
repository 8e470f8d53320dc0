// Without the library's instructions: the space itself is what this version does not have.
space regressor = algorithms(scalars = 4, vectors = 3, matrices = 1)

search linear {
  data  = digits()
  space = regressor //~ E0801 "needs spaces of algorithms or topologies"
}
