"""Lists public items without an example that runs, from rustdoc's JSON: types, traits, functions and modules without an
example, and methods that no example of their type calls. Exits with 1 if there are any."""

import json
import re
import sys

index = json.load(open(sys.argv[1], encoding="utf-8"))["index"]
NOT_RUN = re.compile("no_run|ignore|compile_fail|should_panic|text|toml|json|sh")
# In private modules; public only because a sealed trait uses them.
PRIVATE = {"Sealed", "Target"}


def examples(item):
    blocks = re.findall(r"```([^\n]*)\n(.*?)```", item["docs"] or "", re.DOTALL)
    return "".join(code for head, code in blocks if not NOT_RUN.search(head))


def methods(kind, inner):
    lists = [inner["items"]] if kind == "trait" else [
        found["items"]
        for found in (index[str(at)]["inner"]["impl"] for at in inner["impls"])
        if found["trait"] is None
    ]
    items = [index[str(at)] for one in lists for at in one]
    return [item for item in items if "function" in item["inner"] and item["visibility"] in ("public", "default")]


missing = []
of_types = set()
public = [item for item in index.values() if item["crate_id"] == 0 and item["visibility"] == "public"]
for item in public:
    kind, inner = next(iter(item["inner"].items()))
    if kind not in ("struct", "enum", "trait") or item["name"] in PRIVATE:
        continue
    own = methods(kind, inner)
    page = "".join(map(examples, [item, *own]))
    called = [method["name"] for method in own if not re.search(rf"\b{method['name']}(::<[^>]*>+)?\(", page)]
    of_types.update(method["id"] for method in own)
    missing += [f"{item['name']}::{name}" for name in called]
    missing += [] if page else [item["name"]]
for item in public:
    kind = next(iter(item["inner"]))
    if kind in ("function", "module", "type_alias") and item["id"] not in of_types and not examples(item):
        missing += [item["name"]]
missing = [name for name in missing if name.split("::")[0] not in PRIVATE]
print("\n".join(missing) or "every public item has an example that runs")
sys.exit(bool(missing))
