-- Holds the grammar to its corpus, to the queries, and to every .nas file of the project, with the parser that Neovim has:
-- `NAS_PARSER=nas.so nvim --headless -u NONE -i NONE -S editors/tree-sitter-nas/test/parse.lua` at the root of the sources.
local here = "editors/tree-sitter-nas"

local function read(path)
  local f = assert(io.open(path, "r"), path)
  local text = f:read("*a")
  f:close()
  return text
end

local function parse(text)
  local parser = vim.treesitter.get_string_parser(text, "nas")
  return parser:parse()[1]:root()
end

-- The first error in a tree, with what stands there.
local function mistake(node, text)
  if node:type() == "ERROR" or node:missing() then
    local line = node:start()
    return "line " .. (line + 1) .. ": " .. (vim.split(text, "\n")[line + 1] or "")
  end
  for child in node:iter_children() do
    local found = child:has_error() and mistake(child, text) or (child:missing() and mistake(child, text))
    if found then
      return found
    end
  end
end

local function normal(sexpr)
  return (sexpr:gsub("%s+", " "):gsub(" %)", ")"):gsub("^ ", ""):gsub(" $", ""))
end

-- The cases of a file in tree-sitter's format: a name between lines of `=`, a source, a line of `-`, a tree.
local function corpus(text)
  local cases, part = {}, nil
  for line in text:gmatch("([^\n]*)\n") do
    if line:find("^===+$") then
      if part == "name" then
        part = "source"
      else
        part = "name"
        table.insert(cases, { name = "", source = "", tree = "" })
      end
    elseif line:find("^%-%-%-+$") then
      part = "tree"
    else
      local case = cases[#cases]
      case[part] = case[part] .. line .. (part == "name" and "" or "\n")
    end
  end
  return cases
end

local function run()
  local library = assert(vim.env.NAS_PARSER, "$NAS_PARSER is the compiled parser")
  if vim.treesitter.language and vim.treesitter.language.add then
    vim.treesitter.language.add("nas", { path = library })
  else
    vim.treesitter.require_language("nas", library)
  end

  local cases = 0
  for _, path in ipairs(vim.fn.glob(here .. "/test/corpus/*.txt", false, true)) do
    for _, case in ipairs(corpus(read(path))) do
      local got, want = normal(parse(case.source):sexpr()), normal(case.tree)
      assert(got == want, path .. ": " .. case.name .. "\n got " .. got .. "\nwant " .. want)
      cases = cases + 1
    end
  end
  assert(cases >= 6, cases .. " cases in the corpus")

  local parse_query = vim.treesitter.query and vim.treesitter.query.parse or vim.treesitter.parse_query
  for _, pattern in ipairs({ here .. "/queries/*.scm", "editors/zed/languages/nas/*.scm" }) do
    local queries = vim.fn.glob(pattern, false, true)
    assert(#queries >= 4, pattern)
    for _, path in ipairs(queries) do
      local good, query = pcall(parse_query, "nas", read(path))
      assert(good, path .. ": " .. tostring(query))
    end
  end

  local files, wrong = 0, {}
  for _, pattern in ipairs({ "stdlib/**/*.nas", "examples/**/*.nas", "tests/**/*.nas", "src/**/*.nas", "editors/**/*.nas" }) do
    for _, path in ipairs(vim.fn.glob(pattern, false, true)) do
      -- What the fuzzers start from, and what tests say is wrong, may be broken.
      local text = read(path)
      if not path:find("node_modules") and not path:find("^tests/fuzz/") and not text:find("//~ E01") then
        files = files + 1
        local root = parse(text)
        if root:has_error() then
          table.insert(wrong, path .. ": " .. (mistake(root, text) or "an error"))
        end
      end
    end
  end
  assert(files > 40, files .. " files")
  assert(#wrong == 0, "\n" .. table.concat(wrong, "\n"))
  io.stdout:write("tree-sitter: " .. cases .. " cases, " .. files .. " files: ok\n")
end

local ok, problem = xpcall(run, debug.traceback)
if ok then
  vim.cmd("qall!")
else
  io.stderr:write("FAILED: " .. tostring(problem) .. "\n")
  vim.cmd("cquit 1")
end
