(primitive "primitive" @context name: (identifier) @name) @item
(architecture ["block" "motif" "space"] @context name: (identifier) @name) @item
(function ["fn" "strategy" "evaluation"] @context name: (identifier) @name) @item
(search "search" @context name: (identifier) @name) @item
(environment "environment" @context name: (identifier) @name) @item
(algorithm "algorithm" @context name: (identifier) @name) @item
(choose "choose" @context name: (identifier) @name) @item
