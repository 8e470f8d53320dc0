[
  (body)
  (equations)
  (fields)
  (alternatives)
  (list)
  (environment)
  (algorithm)
] @fold
