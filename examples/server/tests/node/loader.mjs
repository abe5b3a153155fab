// Loaded with `node --import` before any script of this folder: finds packages where `cargo xtask node` installs them.

import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  register(import.meta.url);
}

// Packages are looked for from here on.
const home = new URL('../../../../target/node/', import.meta.url);
const named = /^(?![./#]|[a-z]+:)/;

// The conformance suite imports a name from `fs` that Node.js has from version 22 on, for a command that no test runs.
const withGlob = 'gatewright:fs';
const source = `
  export * from 'node:fs';
  export { default } from 'node:fs';
  export function globSync() { throw new Error('this needs Node.js 22'); }
`;

export async function resolve(specifier, context, next) {
  const parent = context.parentURL ?? '';
  if (specifier === 'fs' && parent.includes('/@modelcontextprotocol/conformance/') && lacksGlob()) {
    return { url: withGlob, shortCircuit: true };
  }
  if (named.test(specifier) && parent.startsWith(new URL('.', import.meta.url).href)) {
    return next(specifier, { ...context, parentURL: home.href });
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (url === withGlob) {
    return { format: 'module', source, shortCircuit: true };
  }
  return next(url, context);
}

function lacksGlob() {
  return Number(process.versions.node.split('.')[0]) < 22;
}
