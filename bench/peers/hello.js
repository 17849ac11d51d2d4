// SPDX-License-Identifier: MIT
// The greeting in Node's http, as its documentation writes it.  Usage: node hello.js PORT

'use strict';

const http = require('http');

const server = http.createServer((request, response) => {
  const text = `Hello, ${request.url.slice('/hello/'.length)}!\n`;
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
});
// The usual five seconds would end connections that are kept idle to be weighed.
server.keepAliveTimeout = 600000;
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
