// SPDX-License-Identifier: MIT
// The routes of bench/http.c in Node's http, as its documentation writes them.
// Usage: node http.js PORT

'use strict';

const http = require('http');

const RESOURCES = 100;
const large = Buffer.alloc(65536, 'x');

function send(response, type, body) {
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function text(response, body) {
  send(response, 'text/plain; charset=utf-8', body);
}

function missing(response) {
  response.writeHead(404, { 'Content-Length': 0 });
  response.end();
}

// What follows the resource: ID, ID/owner, ID/items, ID/items/ITEM, ID/items/ITEM/history.
function item(response, parts) {
  const [id, kind, name, last] = parts;
  if (parts.length === 1 || (parts.length === 2 && (kind === 'owner' || kind === 'items'))) {
    text(response, `item all of ${id}\n`);
  } else if (kind === 'items' && (parts.length === 3 || (parts.length === 4 && last === 'history'))) {
    text(response, `item ${name} of ${id}\n`);
  } else {
    missing(response);
  }
}

const many = new Map();
for (let i = 0; i < RESOURCES; i++) {
  many.set(`r${String(i).padStart(2, '0')}`, item);
}

const routes = new Map([
  ['hello', (response, parts) => text(response, `Hello, ${parts[2]}!\n`)],
  ['body', (response) => send(response, 'application/octet-stream', large)],
  ['many', (response, parts) => {
    const resource = many.get(parts[2]);
    if (resource && parts.length > 3) {
      resource(response, parts.slice(3));
    } else {
      missing(response);
    }
  }],
]);

const server = http.createServer((request, response) => {
  const parts = request.url.split('/');
  const route = routes.get(parts[1]);
  if (route) {
    route(response, parts);
  } else {
    missing(response);
  }
});
// The usual five seconds would end connections that are kept idle to be weighed.
server.keepAliveTimeout = 600000;
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
