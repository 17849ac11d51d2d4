// SPDX-License-Identifier: MIT
// Node's side of http_differential.py: as mirror.c, answers with what its parser understood.
// Prints the port that it listens on, and ends with its standard input.
'use strict';
const http = require('node:http');

const names = ['Host', 'X-One', 'X-Two', 'Content-Type', 'Connection'];
const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

// The first of a name, as weir gives it; Node joins or drops repeated ones.
function first(raw, name) {
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i].toLowerCase() === name.toLowerCase()) return raw[i + 1];
  }
  return undefined;
}

const refusal = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
const open = new Map(); // socket: its requests that are not answered

const server = http.createServer({ keepAliveTimeout: 60000 }, (request, response) => {
  const pieces = [];
  const socket = request.socket;
  if (!open.has(socket)) {
    open.set(socket, new Set());
    socket.on('close', () => open.delete(socket));
  }
  open.get(socket).add(request);
  response.on('finish', () => open.get(socket)?.delete(request));
  request.on('data', (piece) => pieces.push(piece));
  request.on('error', () => {});
  request.on('end', () => {
    let text = `method ${hex(request.method)}\ntarget ${hex(request.url)}\n`;
    for (const name of names) {
      const value = first(request.rawHeaders, name);
      if (value !== undefined) text += `${name} ${hex(value)}\n`;
    }
    text += `body ${Buffer.concat(pieces).toString('hex')}\n`;
    response.setHeader('X-Mirror', '1');
    response.end(text);
  });
});
// The parser runs ahead: what it took before the error is answered first.
server.on('clientError', (error, socket) => {
  const refuse = () => {
    const waiting = [...(open.get(socket) ?? [])].some((request) => request.complete);
    if (!socket.writable) socket.destroy();
    else if (waiting) setTimeout(refuse, 2);
    else socket.end(refusal);
  };
  refuse();
});
server.on('upgrade', (request, socket) => socket.end(refusal));
server.on('connect', (request, socket) => socket.end(refusal));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
