// The grammar of .nas for tree-sitter. grammar/nas.pest is the definition of the language; this one accepts at least as
// much, so that an editor has a tree while a file is being written.
//
// As there, white space only separates, with one exception: a call's `(` and an index's `[` touch what they follow.

// The reserved words. A test holds them to those of the compiler. Where only a name can stand, any of them may.
const DECLARATIONS = ['primitive', 'block', 'motif', 'space', 'fn', 'strategy', 'evaluation', 'search', 'environment', 'algorithm'];
const STATEMENTS = ['let', 'var', 'share', 'for', 'while', 'loop', 'return', 'break', 'continue', 'forbid'];
const OTHERS = ['use', 'in', 'if', 'else', 'choose', 'from', 'assemble', 'repeat', 'as'];
const CONSTANTS = ['true', 'false', 'none'];
const KEYWORDS = [...DECLARATIONS, ...STATEMENTS, ...OTHERS, ...CONSTANTS];

const PREC = { statement: -1, open: 0, pipe: 1, range: 2, or: 3, and: 4, compare: 5, add: 6, multiply: 7, power: 8, unary: 9, postfix: 10 };

const separated = (rule) => optional(seq(rule, repeat(seq(',', rule)), optional(',')));

module.exports = grammar({
  name: 'nas',

  word: ($) => $.identifier,

  extras: ($) => [/\s/, $.comment],

  supertypes: ($) => [$._expression, $._primary, $._statement, $._item],

  conflicts: ($) => [],

  rules: {
    source_file: ($) => repeat($._item),

    comment: () => token(seq('//', /[^\n]*/)),
    identifier: () => /[A-Za-z_][A-Za-z0-9_]*/,
    number: () => token(/[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9][0-9_]*)?(%|[A-Za-z][A-Za-z0-9_]*)?/),
    string: ($) => seq('"', repeat(choice(token.immediate(/[^"\\\n]+/), $.escape)), token.immediate('"')),
    escape: () => token.immediate(/\\[^\n]/),
    boolean: () => choice('true', 'false'),
    none: () => 'none',

    // A name where reserved words may stand.
    _word: ($) => choice($.identifier, ...KEYWORDS.map((k) => alias(k, $.identifier))),

    // ---- items

    _item: ($) => choice($.use, $.primitive, $.architecture, $.function, $.search, $.environment, $.algorithm),

    use: ($) =>
      prec.right(
        seq(
          'use',
          field('path', $.path),
          optional(choice(token(prec(1, '.*')), seq(token(prec(1, '.{')), separated(field('name', $._word)), '}'))),
        ),
      ),
    path: ($) => prec.right(seq($._word, repeat(seq('.', $._word)))),

    parameters: ($) => seq('(', separated($.parameter), ')'),
    parameter: ($) =>
      seq(
        field('name', $.identifier),
        optional(choice(field('shape', $.dimensions), seq(':', field('type', $._type)))),
        optional(seq('=', field('default', $._expression))),
      ),
    dimensions: ($) => seq(choice('[', token.immediate(prec(1, '['))), separated($._expression), ']'),

    _type: ($) => choice($.named_type, $.tuple_type, $.record_type, $.function_type, $.optional_type),
    named_type: ($) => prec.right(seq(field('name', $.identifier), optional(seq('<', separated($._type), '>')))),
    tuple_type: ($) => seq('(', separated($._type), ')'),
    record_type: ($) => seq('{', separated(seq($._word, ':', $._type)), '}'),
    function_type: ($) => prec.right(seq('fn', $.tuple_type, '->', $._type)),
    optional_type: ($) => prec(1, seq($._type, '?')),

    primitive: ($) =>
      seq(
        'primitive',
        field('name', $.identifier),
        $.parameters,
        '->',
        $.output,
        repeat(seq(',', $.output)),
        field('body', $.equations),
      ),
    output: ($) => seq(field('name', $.identifier), optional($.dimensions)),
    equations: ($) => seq('{', repeat(choice($.slot, $.let, $.case, $.equation)), '}'),
    slot: ($) =>
      seq(
        field('kind', choice('param', 'state', 'knob')),
        field('name', $.identifier),
        optional($.dimensions),
        '=',
        field('value', $._expression),
      ),
    case: ($) =>
      prec.right(seq('if', field('condition', $._expression), $.equations, optional(seq('else', choice($.case, $.equations))))),
    equation: ($) =>
      seq(field('name', $.identifier), optional($.indices), choice('=', '<-'), field('value', $._expression)),
    indices: ($) => seq(choice('[', token.immediate(prec(1, '['))), separated(choice('..', $.index_name)), ']'),
    index_name: ($) => seq(field('name', $.identifier), optional(seq(':', field('range', $._expression)))),

    architecture: ($) =>
      seq(
        field('kind', choice('space', 'block', 'motif')),
        field('name', $.identifier),
        optional(seq(choice('[', token.immediate(prec(1, '['))), field('count', $._expression), ']')),
        optional($.parameters),
        choice(field('body', $.body), seq('=', field('value', $._expression))),
      ),
    function: ($) =>
      seq(
        field('kind', choice('fn', 'strategy', 'evaluation')),
        field('name', $.identifier),
        $.parameters,
        optional(seq('->', field('result', $._type))),
        choice(field('body', $.body), seq('=', field('value', $._expression))),
      ),
    search: ($) => seq('search', field('name', $.identifier), field('body', $.fields)),
    fields: ($) => seq('{', repeat($.field), '}'),
    field: ($) => seq(field('name', $._word), '=', field('value', $._expression), optional(',')),
    environment: ($) =>
      seq('environment', field('name', $.identifier), optional($.parameters), '{', repeat(choice($.state, $.function)), '}'),
    state: ($) => seq('state', field('name', $.identifier), '=', field('value', $._expression)),
    algorithm: ($) => seq('algorithm', field('name', $.identifier), '{', repeat($.part), '}'),
    part: ($) => seq(field('name', $._word), $.body),

    // ---- statements

    // A record's and a map's entries look like statements, so that braces need no second reading.
    body: ($) => seq('{', repeat(choice($._statement, $.entry)), '}'),
    _statement: ($) =>
      choice(
        $.let,
        $.share,
        $.for,
        $.while,
        $.loop,
        $.return,
        $.break,
        $.continue,
        $.forbid,
        $.assignment,
        $.expression_statement,
        $._item,
      ),
    let: ($) =>
      seq(choice('let', 'var'), field('pattern', $._pattern), optional(seq(':', field('type', $._type))), '=', field('value', $._expression)),
    share: ($) => seq('share', field('name', $.identifier), '=', field('value', $._expression)),
    for: ($) => seq('for', field('pattern', $._pattern), 'in', field('iterable', $._expression), field('body', $.body)),
    while: ($) => seq('while', field('condition', $._expression), field('body', $.body)),
    loop: ($) => seq('loop', field('body', $.body)),
    return: ($) => prec.right(seq('return', optional($._expression))),
    break: () => 'break',
    continue: () => 'continue',
    forbid: ($) => seq('forbid', $._expression),
    assignment: ($) =>
      seq(field('target', $._expression), choice('=', '+=', '-=', '*=', '/=', '%=', '^='), field('value', $._expression)),
    expression_statement: ($) => prec(PREC.statement, $._expression),
    entry: ($) => prec(1, seq(field('key', $._expression), ':', field('value', $._expression), optional(','))),

    _pattern: ($) => choice($.identifier, $.tuple_pattern),
    tuple_pattern: ($) => seq('(', separated($._pattern), ')'),

    // ---- expressions

    _expression: ($) =>
      choice(
        $.pipeline,
        $.range,
        $.binary,
        $.unary,
        $.reduction,
        $.lambda,
        $.if,
        $.choose,
        $.assemble,
        $.repeat,
        $.body,
        $._primary,
      ),

    // What has an end of its own takes calls, indices and fields.
    _primary: ($) =>
      choice(
        $.call,
        $.index,
        $.member,
        $.tuple,
        $.list,
        $.comprehension,
        $.identifier,
        $.number,
        $.string,
        $.boolean,
        $.none,
      ),

    pipeline: ($) => prec.left(PREC.pipe, seq($._expression, '>>', $._expression)),
    range: ($) =>
      choice(
        prec.right(PREC.range, seq($._expression, choice('..', '..='), $._expression)),
        prec.right(PREC.range - 1, seq($._expression, choice('..', '..='))),
        prec.right(PREC.range, seq(choice('..', '..='), $._expression)),
        prec.right(PREC.range - 1, choice('..', '..=')),
      ),
    binary: ($) => {
      const level = (precedence, operators, side = prec.left) =>
        side(precedence, seq(field('left', $._expression), field('operator', operators.length > 1 ? choice(...operators) : operators[0]), field('right', $._expression)));
      return choice(
        level(PREC.or, ['||']),
        level(PREC.and, ['&&']),
        level(PREC.compare, ['==', '!=', '<', '<=', '>', '>=']),
        level(PREC.add, ['+', '-']),
        level(PREC.multiply, ['*', '/', '%']),
        level(PREC.power, ['^'], prec.right),
      );
    },
    unary: ($) => prec(PREC.unary, seq(choice('-', '!'), $._expression)),

    // The bracket is part of the word: `sum[` reduces, `sum(` calls.
    reduction: ($) =>
      prec.right(PREC.multiply, seq(field('operator', $.reducer), separated(choice('..', $.index_name)), ']', field('body', $._expression))),
    reducer: () => token(prec(1, /(sum|max|min|mean|prod)\[/)),

    lambda: ($) => prec.right(PREC.open, seq(field('parameters', choice($.identifier, $.tuple)), '=>', field('body', $._expression))),
    if: ($) =>
      prec.right(seq('if', field('condition', $._expression), field('then', $.body), optional(seq('else', field('else', choice($.if, $.body)))))),

    choose: ($) =>
      prec.right(
        seq(
          'choose',
          optional(field('name', $._decision)),
          optional(field('amount', choice($._primary, alias($._amount_range, $.range)))),
          choice($.alternatives, seq('from', field('from', $._expression)), $.within),
          optional(seq('given', field('given', $._expression))),
        ),
      ),
    _amount_range: ($) => seq(optional($._primary), choice('..', '..='), optional($._primary)),
    _decision: ($) => prec(PREC.postfix + 1, $.identifier),
    within: ($) => prec.right(seq('in', $._expression, optional(seq('step', $._expression)), optional('log'))),
    alternatives: ($) => seq('{', optional('|'), $.alternative, repeat(seq('|', $.alternative)), '}'),
    alternative: ($) =>
      seq(optional(choice(seq(optional(field('weight', $.number)), field('label', $._word), ':'), seq(field('weight', $.number), ':'))), field('value', $._expression)),

    // No range: after its `..` the word `nodes` could be a name.
    assemble: ($) => seq('assemble', field('nodes', choice($._primary, alias($._count, $.binary))), 'nodes', $.fields),
    _count: ($) => prec.left(PREC.add, seq(choice($._primary, alias($._count, $.binary)), choice('+', '-', '*', '/'), $._primary)),
    repeat: ($) => seq('repeat', field('count', $._expression), optional(seq('as', field('label', $.identifier))), field('body', $.body)),

    call: ($) => prec(PREC.postfix, seq(field('function', $._primary), $.arguments)),
    arguments: ($) => seq(token.immediate(prec(1, '(')), separated(choice($.argument, $._expression)), ')'),
    argument: ($) => seq(field('name', $._word), '=', field('value', $._expression)),
    index: ($) => prec(PREC.postfix, seq($._primary, token.immediate(prec(1, '[')), separated($._expression), ']')),
    member: ($) => prec(PREC.postfix, seq($._primary, '.', field('name', $._word))),

    tuple: ($) => seq(choice('(', token.immediate(prec(1, '('))), separated($._expression), ')'),
    list: ($) => seq(choice('[', token.immediate(prec(1, '['))), separated($._expression), ']'),
    comprehension: ($) => seq(choice('[', token.immediate(prec(1, '['))), $._expression, repeat1($.clause), ']'),
    clause: ($) => seq('for', field('pattern', $._pattern), 'in', field('iterable', $._expression), optional(seq('if', $._expression))),
  },
});
