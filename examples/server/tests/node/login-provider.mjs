// A real OpenID provider on loopback that people log in with: authorization code and PKCE. Whoever comes is let in as
// the person that was said last, and consents to everything.
//
// It prints `{issuer, secret}` when it listens, and then answers every line of its standard input, a command in JSON, with a
// line. It ends with its standard input, so that it outlives nobody who started it.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { exportJWK } from 'jose';

// It advises those who run it in production, on the output that our answers go to.
console.info = console.warn = () => {};
const { default: Provider } = await import('oidc-provider');

const secret = randomUUID();
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'RS256', use: 'sig' };
const cookieKey = randomUUID();
// By `sub`.
const people = {};
// Who comes next; nobody, who says no.
let next;

function provider(redirectUri) {
  const made = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [{ client_id: 'app', client_secret: secret, redirect_uris: [redirectUri] }],
    cookies: { keys: [cookieKey] },
    claims: { email: ['email', 'email_verified'], profile: ['name'] },
    // Everything in the ID token, as Google does it.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
  });
  made.on('server_error', (_ctx, error) => process.stderr.write(`${error.stack}\n`));
  return made;
}

async function interact(request, response) {
  const { prompt, params, session } = await made.interactionDetails(request, response);
  let result = { error: 'access_denied' };
  if (next && prompt.name === 'login') {
    result = { login: { accountId: next } };
  } else if (next) {
    const grant = new made.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { consent: { grantId: await grant.save() } };
  }
  await made.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const commands = {
  // Sends browsers back here from now on.
  register({ redirect_uri }) {
    made = provider(redirect_uri);
    return {};
  },
  // Lets this person in from now on, or nobody.
  person({ sub, claims }) {
    next = sub;
    if (sub) people[sub] = claims;
    return {};
  },
};

let made;
const server = createServer((request, response) => {
  const answer = request.url.startsWith('/interaction/') ? interact : made.callback();
  Promise.resolve(answer(request, response)).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    response.writeHead(500).end();
  });
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
made = provider('http://127.0.0.1:1/nowhere');

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ issuer, secret });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  say(commands[command.do](command));
}
process.exit(0);
