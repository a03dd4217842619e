// Speaks to the fake Graph by Microsoft's JavaScript client: what that understands, the real one says.
import assert from "node:assert/strict";
import graph from "@microsoft/microsoft-graph-client";

const { Client, PageIterator, BatchRequestContent, BatchResponseContent } = graph;
const { BASE_URL, TOKEN_URL, CLIENT_ID, CLIENT_SECRET, DOMAIN } = process.env;

const answer = await fetch(TOKEN_URL, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "client_credentials", client_id: CLIENT_ID, client_secret: CLIENT_SECRET, scope: BASE_URL + "/.default",
  }),
});
const token = await answer.json();
assert.equal(token.token_type, "Bearer");

const client = Client.init({
  baseUrl: BASE_URL, defaultVersion: "v1.0", customHosts: new Set([new URL(BASE_URL).hostname]),
  authProvider: (done) => done(null, token.access_token),
});

// Pages; the first call is throttled, and the client comes again by itself.
const names = [];
const iterator = new PageIterator(client, await client.api("/users").select("id,displayName,employeeId").get(), (u) => {
  names.push(u.displayName);
  return true;
});
await iterator.iterate();
assert.deepEqual(names, ["Ada", "Grace", "Edsger", "Barbara", "Donald"]);

// A filter.
const found = await client.api("/users").filter("employeeId eq 'E-Ada'").select("id,employeeId").get();
assert.equal(found.value.length, 1);
const ada = found.value[0].id;

// A user is made, changed, led, disabled.
const account = (name) => ({
  accountEnabled: true, displayName: name, mailNickname: name.toLowerCase(), userPrincipalName: `${name.toLowerCase()}@${DOMAIN}`,
  employeeId: "E-" + name, passwordProfile: { forceChangePasswordNextSignIn: true, password: "xWwvJ]6NMw+bWH-d" },
});
const alan = await client.api("/users").post(account("Alan"));
assert.ok(alan.id);
await client.api(`/users/${alan.id}`).patch({ jobTitle: "Logician" });
await client.api(`/users/${alan.id}/manager/$ref`).put({ "@odata.id": `${BASE_URL}/v1.0/users/${ada}` });
assert.equal((await client.api(`/users/${alan.id}/manager`).get()).displayName, "Ada");
await client.api(`/users/${alan.id}`).patch({ accountEnabled: false });
await client.api(`/users/${alan.id}/revokeSignInSessions`).post({});
assert.equal((await client.api(`/users/${alan.id}`).select("accountEnabled,jobTitle").get()).jobTitle, "Logician");

// Errors come as the client's GraphError, with code and details.
await assert.rejects(client.api("/users").post(account("Alan")), (e) => {
  assert.equal(e.statusCode, 400);
  assert.equal(e.code, "Request_BadRequest");
  assert.equal(JSON.parse(e.body).details[0].code, "ObjectConflict");
  return true;
});
await assert.rejects(client.api("/users/nobody").get(), (e) => e.statusCode === 404 && e.code === "Request_ResourceNotFound");

// Groups and members.
const group = await client.api("/groups").post({
  displayName: "Team", mailEnabled: false, mailNickname: "team", securityEnabled: true, groupTypes: [], uniqueName: "team-1",
});
await client.api(`/groups/${group.id}`).patch({ "members@odata.bind": [`${BASE_URL}/v1.0/directoryObjects/${ada}`] });
await client.api(`/groups/${group.id}/members/$ref`).post({ "@odata.id": `${BASE_URL}/v1.0/directoryObjects/${alan.id}` });
assert.equal((await client.api(`/groups/${group.id}/members`).get()).value.length, 2);
await client.api(`/groups/${group.id}/members/${ada}/$ref`).delete();
assert.deepEqual((await client.api(`/groups/${group.id}/members`).get()).value.map((m) => m.id), [alan.id]);
assert.equal((await client.api("/groups(uniqueName='team-1')").get()).id, group.id);

// A batch, with a dependency that fails.
const step = (id, path, method = "GET", dependsOn) => ({
  id, dependsOn, request: { url: path, method, headers: new Headers() },
});
const content = new BatchRequestContent([step("1", `/users/${ada}`), step("2", "/users/nobody", "GET", ["1"]), step("3", `/groups/${group.id}`, "GET", ["2"])]);
const batch = new BatchResponseContent(await client.api("/$batch").post(await content.getContent()));
assert.equal(batch.getResponseById("1").status, 200);
assert.equal(batch.getResponseById("2").status, 404);
assert.equal(batch.getResponseById("3").status, 424);

// A delta: everything, then what changed, then what is gone.
const follow = async (page) => {
  const seen = [];
  const pages = new PageIterator(client, page, (u) => {
    seen.push(u);
    return true;
  });
  await pages.iterate();
  return [seen, pages.getDeltaLink()];
};
let [seen, link] = await follow(await client.api("/users/delta()").select("displayName,jobTitle").get());
assert.equal(seen.length, 6);
await client.api(`/users/${ada}`).patch({ jobTitle: "Countess" });
[seen, link] = await follow(await client.api(link).get());
assert.deepEqual(seen.map((u) => u.jobTitle), ["Countess"]);
await client.api(`/users/${ada}`).delete();
[seen, link] = await follow(await client.api(link).get());
assert.equal(seen[0]["@removed"].reason, "changed");

console.log("all good");
