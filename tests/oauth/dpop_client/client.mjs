// A client that holds a key, made of oauth4webapi alone: what it is told line by line, as JSON, is what the test reads.
// It prints where a person has to say yes, and reads where the person was sent back to.
import * as readline from "node:readline";
import * as oauth from "oauth4webapi";

const { ISSUER, RESOURCE, REDIRECT, SCOPE, AGENT, SECRET, APP } = process.env;
const plain = { [oauth.allowInsecureRequests]: true };
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (said) => console.log(JSON.stringify(said));

const issuer = new URL(ISSUER);
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain });
const server = await oauth.processDiscoveryResponse(issuer, found);

/** Make a request, and once more where the answer was that a nonce is needed; count how often that was. */
let nonces = 0;
async function withNonce(request) {
  try {
    return await request();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    nonces += 1;
    return await request();
  }
}

async function holding(client) {
  return oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
}

async function status(token, handle) {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "holder", version: "1" } },
  });
  const headers = new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
  const options = { ...(handle ? { DPoP: handle } : {}), ...plain };
  const ask = () => oauth.protectedResourceRequest(token, "POST", new URL(RESOURCE), headers, body, options);
  try {
    const answer = await withNonce(ask);
    await answer.body?.cancel();
    return answer.status;
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) return error.status;
    throw error;
  }
}

async function alone() {
  const client = { client_id: AGENT };
  const handle = await holding(client);
  const wanted = { resource: RESOURCE, scope: SCOPE };
  const answer = await withNonce(async () => {
    const options = { DPoP: handle, ...plain };
    const secret = oauth.ClientSecretBasic(SECRET);
    const told = await oauth.clientCredentialsGrantRequest(server, client, secret, wanted, options);
    return await oauth.processClientCredentialsResponse(server, client, told);
  });
  say({
    step: "alone",
    type: answer.token_type,
    mine: await status(answer.access_token, handle),
    another: await status(answer.access_token, await holding(client)),
    bearer: await status(answer.access_token, null),
    nonces,
  });
}

async function forSomebody() {
  const client = { client_id: APP };
  const handle = await holding(client);
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint);
  const asked = {
    client_id: APP,
    redirect_uri: REDIRECT,
    response_type: "code",
    scope: SCOPE,
    resource: RESOURCE,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    dpop_jkt: await handle.calculateThumbprint(),
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  say({ step: "ask", url: url.href });
  const back = new URL((await lines.next()).value);
  const given = oauth.validateAuthResponse(server, client, back, state); // `iss` is looked at, too (RFC 9207)
  const first = await withNonce(async () => {
    const options = { DPoP: handle, additionalParameters: { resource: RESOURCE }, ...plain };
    const none = oauth.None();
    const told = await oauth.authorizationCodeGrantRequest(server, client, none, given, REDIRECT, verifier, options);
    return await oauth.processAuthorizationCodeResponse(server, client, told);
  });
  const refresh = (by) =>
    withNonce(async () => {
      const told = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), first.refresh_token, {
        DPoP: by,
        ...plain,
      });
      return await oauth.processRefreshTokenResponse(server, client, told);
    });
  const byAnother = await refresh(await holding(client)).then(
    () => "taken",
    (error) => error.error,
  );
  const second = await refresh(handle);
  say({
    step: "for somebody",
    types: [first.token_type, second.token_type],
    mine: await status(second.access_token, handle),
    bearer: await status(second.access_token, null),
    refreshed_by_another: byAnother,
  });
}

await alone();
await forSomebody();
process.exit(0);
