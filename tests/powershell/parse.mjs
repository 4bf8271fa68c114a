// Parses the PowerShell script on its input. Ends with 1 and says where, if it is none.
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
    const what = node.isMissing ? `without its ${node.type}` : 'not to be read'
    console.error(`${row + 1}:${column + 1}: ${what}`)
    process.exitCode = 1
  }
  node.children.forEach(check)
}
check(rootNode)
