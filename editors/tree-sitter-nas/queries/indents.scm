[
  (body)
  (equations)
  (fields)
  (alternatives)
  (list)
  (tuple)
  (arguments)
  (parameters)
] @indent

[
  "}"
  "]"
  ")"
] @branch
