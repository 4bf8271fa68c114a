// Parses the PowerShell script on standard input. Prints syntax errors with their positions and exits with 1 if there are any.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Language, Parser } from 'web-tree-sitter'

await Parser.init()
const grammar = import.meta.resolve('tree-sitter-powershell/tree-sitter-powershell.wasm')
const parser = new Parser().setLanguage(await Language.load(fileURLToPath(grammar)))
const { rootNode } = parser.parse(readFileSync(0, 'utf8'))

function check(node) {
  if (node.isError || node.isMissing) {
    const { row, column } = node.startPosition
    const problem = node.isMissing ? `missing ${node.type}` : 'syntax error'
    console.error(`${row + 1}:${column + 1}: ${problem}`)
    process.exitCode = 1
  }
  node.children.forEach(check)
}
check(rootNode)
