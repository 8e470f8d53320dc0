[
  (source_file)
  (body)
  (architecture)
  (function)
  (primitive)
  (for)
  (lambda)
  (comprehension)
] @scope

(parameter name: (identifier) @definition.parameter)
(let pattern: (identifier) @definition.var)
(let pattern: (tuple_pattern (identifier) @definition.var))
(share name: (identifier) @definition.var)
(for pattern: (identifier) @definition.var)
(for pattern: (tuple_pattern (identifier) @definition.var))
(clause pattern: (identifier) @definition.var)
(lambda parameters: (identifier) @definition.parameter)
(primitive name: (identifier) @definition.function)
(architecture name: (identifier) @definition.function)
(function name: (identifier) @definition.function)

(identifier) @reference
