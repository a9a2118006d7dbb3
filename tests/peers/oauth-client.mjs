// SPDX-License-Identifier: ISC
//
// oauth-client.mjs --url URL --key PEM [--connect HOST:PORT] [--scope WORD]
//     [--sdk v1|v2]
//
// The official SDK's client, unmodified, with the credentials of a client of
// an authorization server and nothing else: it has to find out from the server
// at URL that it needs a token, where to get it and for what.  The
// authorization server, https://login.example, is in this process: it grants
// tokens that it signs with the key, for https://docs.example/mcp.  Prints the
// text of a tool's result; exits 0 if all of it went well.

import crypto from 'node:crypto';
import fs from 'node:fs';
import { address, fail, load, options } from './peer.mjs';
import { dial } from './dial.mjs';

const tool = 'oauth-client';
const opt = options(tool, { url: null, key: null, connect: undefined,
	scope: '', sdk: 'v1' });
const ISSUER = 'https://login.example';
const key = fs.readFileSync(opt.key);
const { Client, StreamableHTTPClientTransport, ClientCredentialsProvider } =
    opt.sdk === 'v2' ? load('@modelcontextprotocol/client') : {
	...load('@modelcontextprotocol/sdk/client/index.js'),
	...load('@modelcontextprotocol/sdk/client/streamableHttp.js'),
	...load('@modelcontextprotocol/sdk/client/auth-extensions.js'),
    };

dial(opt.connect && address(tool, opt.connect));

function base64url(value) {
	return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function sign(claims) {
	const text = base64url({ alg: 'RS256', typ: 'at+jwt', kid: 'one' }) +
	    '.' + base64url(claims);
	return text + '.' + crypto.sign('sha256', text, key)
	    .toString('base64url');
}

function json(value, status = 200) {
	return new Response(JSON.stringify(value), { status,
		headers: { 'Content-Type': 'application/json' } });
}

function grant(form) {
	const now = Math.floor(Date.now() / 1000);

	if (form.get('resource') !== opt.url ||
	    (form.get('scope') ?? '') !== opt.scope)
		return json({ error: 'invalid_target' }, 400);
	return json({ token_type: 'Bearer', expires_in: 600, access_token:
	    sign({ iss: ISSUER, aud: 'https://docs.example/mcp',
		sub: 'sdk-client', scope: opt.scope, iat: now,
		exp: now + 600 }) });
}

async function login(url, init) {
	if (url.pathname === '/.well-known/oauth-authorization-server')
		return json({ issuer: ISSUER,
			token_endpoint: `${ISSUER}/token`,
			authorization_endpoint: `${ISSUER}/authorize`,
			response_types_supported: ['code'],
			grant_types_supported: ['client_credentials'],
			token_endpoint_auth_methods_supported:
			    ['client_secret_basic'] });
	if (url.pathname === '/token')
		return grant(new URLSearchParams(String(init.body)));
	return json({ error: 'not found' }, 404);
}

const provider = new ClientCredentialsProvider({ clientId: 'sdk-client',
	clientSecret: 'of the client', expectedIssuer: ISSUER,
	scope: opt.scope });
const transport = new StreamableHTTPClientTransport(new URL(opt.url), {
	authProvider: provider,
	fetch: (url, init) => new URL(url).origin === ISSUER
	    ? login(new URL(url), init) : fetch(url, init),
});
const client = new Client({ name: tool, version: '1.0.0' });

try {
	await client.connect(transport);
	const result = await client.callTool({ name: 'echo',
		arguments: { message: 'let in' } });
	console.log(result.content[0].text);
	await client.close();
} catch (error) {
	fail(1, tool, error.message || String(error));
}
