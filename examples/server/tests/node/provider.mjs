// A real OpenID provider on loopback: client credentials, JWT access tokens (RFC 9068) and opaque ones, introspection.
//
// It prints `{issuer, secret}` when it listens, and then answers every line of its standard input, a command in JSON, with a
// line. It ends with its standard input, so that it outlives nobody who started it.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { SignJWT, exportJWK, exportSPKI } from 'jose';

// It advises those who run it in production, on the output that our answers go to.
console.info = console.warn = () => {};
const { default: Provider } = await import('oidc-provider');

const [audience] = process.argv.slice(2);
const secret = randomUUID();
const life = 600;

const newKey = () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { kid: randomUUID(), ...pair };
};

// The first key signs.
let keys = [newKey()];
// How often each path was asked for.
const asked = {};

const client = (id) => ({
  client_id: id,
  client_secret: secret,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

async function provider() {
  const published = keys.map(async ({ kid, privateKey }) => ({
    ...(await exportJWK(privateKey)),
    kid,
    alg: 'RS256',
    use: 'sig',
  }));
  const made = new Provider(issuer, {
    jwks: { keys: await Promise.all(published) },
    clients: [client('machine'), client('opaque')],
    cookies: { keys: [randomUUID()] },
    scopes: ['mcp:call'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // A resource is a URI (RFC 8707 §2), an audience any text.
        defaultResource: () => `${issuer}/protected`,
        getResourceServerInfo: (_ctx, _resource, { clientId }) => ({
          audience,
          scope: 'mcp:call mcp:call:files',
          accessTokenTTL: life,
          accessTokenFormat: clientId === 'opaque' ? 'opaque' : 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  made.on('server_error', (_ctx, error) => process.stderr.write(`${error.stack}\n`));
  return made.callback();
}

// A token such as the provider makes, but for one fault, and signed with the key that signs now.
async function forge(fault) {
  const now = Math.floor(Date.now() / 1000);
  const [{ kid, privateKey, publicKey }] = keys;
  const header = { alg: 'RS256', typ: 'at+jwt', kid };
  const claims = {
    iss: issuer,
    sub: 'machine',
    client_id: 'machine',
    aud: audience,
    scope: 'mcp:call',
    iat: now,
    exp: now + life,
    jti: randomUUID(),
  };
  let key = privateKey;
  switch (fault) {
    case 'nothing':
      break;
    case 'wrong issuer':
      claims.iss = `${issuer}/elsewhere`;
      break;
    case 'wrong audience':
      claims.aud = `${audience}/elsewhere`;
      break;
    case 'missing aud':
      delete claims.aud;
      break;
    case 'expired':
      claims.iat = now - 2 * life;
      claims.exp = now - life;
      break;
    case 'not yet valid':
      claims.nbf = now + life;
      break;
    case 'none':
      return unsigned(header, claims, '');
    case 'none with a signature':
      return unsigned(header, claims, (await sign(header, claims, key)).split('.')[2]);
    case 'HS256 of the public key':
      header.alg = 'HS256';
      key = new TextEncoder().encode(await exportSPKI(publicKey));
      break;
    case 'unknown kid':
      header.kid = randomUUID();
      break;
    case 'known kid, another key':
      key = newKey().privateKey;
      break;
    case 'typ of an ID token':
      header.typ = 'JWT';
      break;
    default:
      throw new Error(`there is no such fault: ${fault}`);
  }
  return sign(header, claims, key);
}

const sign = (header, claims, key) => new SignJWT(claims).setProtectedHeader(header).sign(key);

// No library makes these for us.
function unsigned(header, claims, signature) {
  const text = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${text({ ...header, alg: 'none' })}.${text(claims)}.${signature}`;
}

const commands = {
  // Signs with a new key from now on; the old ones stay published.
  async rotate() {
    keys = [newKey(), ...keys];
    answer = await provider();
    return { kid: keys[0].kid };
  },
  // Publishes the key that signs, and no other.
  async retire() {
    keys = keys.slice(0, 1);
    answer = await provider();
    return { kid: keys[0].kid };
  },
  async forge({ fault }) {
    return { token: await forge(fault) };
  },
  async asked({ path }) {
    return { times: asked[path] ?? 0 };
  },
};

let answer;
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, issuer);
  asked[pathname] = (asked[pathname] ?? 0) + 1;
  answer(request, response);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
answer = await provider();

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ issuer, secret });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  say(await commands[command.do](command));
}
process.exit(0);
