// Runs one test of fhir-kit-client against the fake FHIR service: node fhir-kit.mjs TEST. $FHIR_KIT is the client's module, $FAKE_FHIR
// and $FAKE_FHIR_TOKEN are the service. A wrong result is an assertion error.
import assert from "node:assert/strict";

const { Client } = await import(process.env.FHIR_KIT);
const client = new Client({ baseUrl: process.env.FAKE_FHIR, bearerToken: process.env.FAKE_FHIR_TOKEN });

const resourceType = "Patient";
const patient = (family, more = {}) => ({ resourceType, name: [{ family, given: ["Ada"] }], ...more });
const http = (resource) => Client.httpFor(resource).response;
const ids = (bundle) => bundle.entry.map((entry) => entry.resource.id);

async function rejects(promise, status, code) {
  const error = await promise.then(
    () => assert.fail(`no error instead of status ${status}`),
    (error) => error,
  );
  assert.equal(error.response?.status, status, error.message);
  if (code) {
    assert.equal(error.response.data.resourceType, "OperationOutcome");
    assert.equal(error.response.data.issue[0].code, code);
  }
}

const tests = {
  async interactions() {
    const created = await client.create({ resourceType, body: patient("Lovelace") });
    const { id } = created;
    assert.equal(http(created).status, 201);
    assert.equal(http(created).headers.get("etag"), 'W/"1"');
    assert.equal(http(created).headers.get("location"), `${process.env.FAKE_FHIR}/Patient/${id}/_history/1`);
    assert.equal(created.meta.versionId, "1");

    const updated = await client.update({
      resourceType,
      id,
      body: { ...created, gender: "female" },
      options: { headers: { "If-Match": 'W/"1"' } },
    });
    assert.equal(http(updated).status, 200);
    assert.equal(updated.meta.versionId, "2");
    await rejects(
      client.update({ resourceType, id, body: created, options: { headers: { "If-Match": 'W/"1"' } } }),
      412,
      "required",
    );

    const patched = await client.patch({
      resourceType,
      id,
      jsonPatch: [{ op: "replace", path: "/name/0/family", value: "King" }],
    });
    assert.deepEqual([patched.meta.versionId, patched.name[0].family, patched.gender], ["3", "King", "female"]);

    assert.equal((await client.read({ resourceType, id })).name[0].family, "King");
    assert.equal((await client.vread({ resourceType, id, version: "1" })).name[0].family, "Lovelace");
    await rejects(client.vread({ resourceType, id, version: "9" }), 404, "not-found");
    await rejects(client.read({ resourceType, id: "nobody" }), 404, "not-found");

    const deleted = await client.delete({ resourceType, id });
    assert.equal(http(deleted).status, 204);
    await rejects(client.read({ resourceType, id }), 410);

    const history = await client.history({ resourceType, id });
    assert.equal(history.type, "history");
    assert.deepEqual(
      history.entry.map((entry) => entry.request.method),
      ["DELETE", "PATCH", "PUT", "POST"],
    );
    assert.deepEqual(
      history.entry.slice(1).map((entry) => entry.resource.meta.versionId),
      ["3", "2", "1"],
    );
  },

  async conditions() {
    const identifier = [{ system: "https://hospital.example/mrn", value: "77" }];
    const headers = { "If-None-Exist": "identifier=https://hospital.example/mrn|77" };
    const admit = () => client.create({ resourceType, body: patient("Hopper", { identifier }), options: { headers } });
    const admitted = await Promise.all([admit(), admit(), admit()]);
    assert.deepEqual(admitted.map((resource) => http(resource).status).sort(), [200, 200, 201]);
    const found = await client.search({ resourceType, searchParams: { identifier: "https://hospital.example/mrn|77" } });
    assert.deepEqual(ids(found), [admitted.find((resource) => http(resource).status === 201).id]);

    const searchParams = { identifier: "https://hospital.example/mrn|77" };
    const updated = await client.update({ resourceType, searchParams, body: patient("Murray", { identifier }) });
    assert.deepEqual([updated.id, updated.meta.versionId], [ids(found)[0], "2"]);

    await client.create({ resourceType, body: patient("Hopper", { identifier }) });
    await rejects(admit(), 412);
  },

  async search() {
    const all = [];
    let pages = 0;
    let bundle = await client.search({ resourceType, searchParams: { _count: 5, _total: "accurate" } });
    assert.equal(bundle.total, 12);
    while (bundle) {
      pages += 1;
      all.push(...ids(bundle));
      bundle = await client.nextPage({ bundle });
    }
    assert.equal(pages, 3);
    assert.deepEqual(
      all,
      Array.from({ length: 12 }, (_, n) => `example-${String(n + 1).padStart(4, "0")}`),
    );

    await client.create({ resourceType, body: patient("O'Neill, née Ünal", { birthDate: "1980-02-29" }) });
    for (const options of [{}, { postSearch: true }]) {
      const searchParams = { family: "o'neill\\, née", birthdate: ["ge1980-02-01", "lt1980-03-01"] };
      const found = await client.search({ resourceType, searchParams, options });
      assert.deepEqual(
        found.entry.map((entry) => entry.resource.name[0].family),
        ["O'Neill, née Ünal"],
      );
    }
    const count = await client.search({ resourceType, searchParams: { _summary: "count" } });
    assert.deepEqual([count.total, count.entry], [13, undefined]);
    await rejects(client.search({ resourceType, searchParams: { _count: -1 } }), 400, "invalid");

    const [first] = all;
    const observation = { resourceType: "Observation", status: "final", code: { text: "weight" } };
    await client.create({
      resourceType: "Observation",
      body: { ...observation, subject: { reference: `Patient/${first}` } },
    });
    for (const [name, value, expected] of [
      ["patient", first, 1],
      ["subject", `Patient/${first}`, 1],
      ["patient", all[1], 0],
    ]) {
      const found = await client.search({ resourceType: "Observation", searchParams: { [name]: value } });
      assert.equal(found.entry?.length ?? 0, expected, `${name}=${value}`);
    }
  },

  async bundles() {
    const statuses = (bundle) => bundle.entry.map((entry) => entry.response.status.split(" ")[0]);
    const mother = { fullUrl: "urn:uuid:3d7c9b1e-3b52-4c6a-9d8c-5b5a3e1f0a01", resource: patient("Mother") };
    const child = {
      fullUrl: "urn:uuid:3d7c9b1e-3b52-4c6a-9d8c-5b5a3e1f0a02",
      resource: patient("Child", { link: [{ type: "seealso", other: { reference: mother.fullUrl } }] }),
    };
    const request = { method: "POST", url: "Patient" };
    const body = (type, ...entry) => ({ resourceType: "Bundle", type, entry });
    const done = await client.transaction({
      body: body("transaction", { ...child, request }, { ...mother, request }),
    });
    assert.equal(done.type, "transaction-response");
    assert.deepEqual(statuses(done), ["201", "201"]);
    const [kid, mum] = done.entry.map((entry) => entry.resource);
    assert.equal(kid.link[0].other.reference, `Patient/${mum.id}`);

    const failing = body(
      "transaction",
      { resource: patient("Nobody"), request },
      { request: { method: "PUT", url: `Patient/${mum.id}`, ifMatch: 'W/"9"' }, resource: { ...mum, active: true } },
    );
    await rejects(client.transaction({ body: failing }), 412);
    assert.equal((await client.search({ resourceType, searchParams: { family: "Nobody" } })).entry, undefined);

    const batch = await client.batch({
      body: body(
        "batch",
        { request: { method: "GET", url: `Patient/${mum.id}` } },
        { request: { method: "GET", url: "Patient/nobody" } },
        { request: { method: "DELETE", url: `Patient/${kid.id}` } },
        { request: { method: "GET", url: "Patient?family=Mother" } },
      ),
    });
    assert.equal(batch.type, "batch-response");
    assert.deepEqual(statuses(batch), ["200", "404", "204", "200"]);
    assert.equal(batch.entry[0].resource.id, mum.id);
    assert.equal(batch.entry[1].response.outcome.issue[0].code, "not-found");
    assert.deepEqual(ids(batch.entry[3].resource), [mum.id]);
  },

  async metadata() {
    client.httpClient.authHeader = {};
    const statement = await client.capabilityStatement();
    assert.deepEqual([statement.resourceType, statement.fhirVersion], ["CapabilityStatement", "4.0.1"]);
    const { resource } = statement.rest[0];
    const interactions = resource.find((entry) => entry.type === "Patient").interaction.map(({ code }) => code);
    for (const code of ["read", "vread", "create", "update", "patch", "delete", "search-type"]) {
      assert.ok(interactions.includes(code), `${code} is not in ${interactions}`);
    }
    // The client requests the statement and the SMART configuration at once and uses the first response.
    const smart = await client.smartAuthMetadata();
    const { extension } = statement.rest[0].security.extension[0];
    for (const [name, url] of [
      ["authorize", smart.authorizeUrl],
      ["token", smart.tokenUrl],
    ]) {
      assert.match(url.href, /^https:\/\/login\.microsoftonline\.com\//);
      assert.equal(extension.find((entry) => entry.url === name).valueUri, url.href);
    }
    await rejects(client.read({ resourceType, id: "example-0001" }), 401, "login");
    client.bearerToken = process.env.FAKE_DICOM_TOKEN;
    await rejects(client.read({ resourceType, id: "example-0001" }), 401, "login");
  },
};

await tests[process.argv[2]]();
