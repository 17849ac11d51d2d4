// SPDX-License-Identifier: MIT
// The routes of the demo service for Node's http.  How CPU work is done (on the loop, or in a pool
// of worker threads) is the caller's; a blocking library always has a thread that is not the loop.

'use strict';

const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { setTimeout: sleep } = require('node:timers/promises');

const MS_MAX = 60000;
const CHUNKS_MAX = 1000000;

class Refusal extends Error {
  constructor(status, text, headers = {}) {
    super(text);
    this.status = status;
    this.headers = headers;
  }
}

function sendText(response, status, text, headers = {}) {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

function number(query, name, fallback, max) {
  const text = new URLSearchParams(query).get(name);
  if (text === null) return fallback;
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > max) {
    throw new Refusal(400, `${name} must be a whole number from 0 to ${max}\n`);
  }
  return value;
}

async function* chunks(count, milliseconds, signal) {
  for (let i = 1; i <= count; i++) {
    yield `chunk ${i} of ${count}\n`;
    if (i < count) await sleep(milliseconds, undefined, { signal });
  }
}

// A client that leaves ends its stream at once, in the middle of a pause too.
async function stream(request, response, query) {
  const count = number(query, 'n', 10, CHUNKS_MAX);
  const milliseconds = number(query, 'ms', 100, MS_MAX);
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.flushHeaders();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  await pipeline(Readable.from(chunks(count, milliseconds, gone.signal)), response);
}

async function echo(request, response) {
  const headers = {};
  for (const name of ['content-type', 'content-length']) {
    if (request.headers[name] !== undefined) headers[name] = request.headers[name];
  }
  response.writeHead(200, headers);
  await pipeline(request, response);
}

// `burn(ms)` gives what it found, or a promise of that; `block(ms)` gives a promise.
function createRoutes({ burn, block }) {
  let count = 0; // one thread runs these handlers, so a plain variable is right

  return {
    '/cpu': {
      async GET(request, response, query) {
        const ms = number(query, 'ms', 1, MS_MAX);
        const found = await burn(ms);
        sendText(response, 200, `burned ${ms} ms of CPU time, to find ${found}\n`);
      },
    },
    '/wait': {
      async GET(request, response, query) {
        const ms = number(query, 'ms', 50, MS_MAX);
        await sleep(ms);
        sendText(response, 200, `waited ${ms} ms\n`);
      },
    },
    '/block': {
      async GET(request, response, query) {
        const ms = number(query, 'ms', 50, MS_MAX);
        await block(ms);
        sendText(response, 200, `blocked a thread for ${ms} ms\n`);
      },
    },
    '/stream': { GET: stream },
    '/echo': { POST: echo },
    '/healthz': {
      async GET(request, response) {
        sendText(response, 200, 'ok\n');
      },
    },
    '/count': {
      async GET(request, response) {
        sendText(response, 200, `${count}\n`);
      },
      async POST(request, response) {
        count += 1;
        sendText(response, 200, `${count}\n`);
      },
    },
    '/crash': {
      // What a fault in an addon, or the kernel short of memory, does to a process.
      async GET() {
        process.kill(process.pid, 'SIGKILL');
      },
    },
  };
}

async function hello(request, response, query, path) {
  let name;
  try {
    name = decodeURIComponent(path.slice('/hello/'.length));
  } catch {
    throw new Refusal(400, 'the name is not well encoded\n');
  }
  sendText(response, 200, `Hello, ${name}!\n`);
}

function find(routes, method, path) {
  const methods = /^\/hello\/[^/]+$/.test(path) ? { GET: hello } : routes[path];
  if (methods === undefined) throw new Refusal(404, 'not found\n');
  const handler = methods[method === 'HEAD' ? 'GET' : method];
  if (handler === undefined) {
    throw new Refusal(405, 'method not allowed\n', { Allow: Object.keys(methods).join(', ') });
  }
  return handler;
}

function fail(request, response, error) {
  if (response.headersSent) {
    response.destroy();
  } else if (error instanceof Refusal) {
    // What is left of a body must not be taken for the next request.
    const unread = !request.complete && request.method === 'POST';
    sendText(response, error.status, error.message, {
      ...error.headers,
      ...(unread ? { Connection: 'close' } : {}),
    });
  } else {
    console.error(error);
    sendText(response, 500, 'something went wrong\n');
  }
}

// The listener for http.createServer().
function createApp(work) {
  const routes = Object.assign(Object.create(null), createRoutes(work));
  return (request, response) => {
    const mark = request.url.indexOf('?');
    const path = mark < 0 ? request.url : request.url.slice(0, mark);
    const query = mark < 0 ? '' : request.url.slice(mark + 1);
    (async () => find(routes, request.method, path)(request, response, query, path))().catch(
      (error) => fail(request, response, error));
  };
}

module.exports = { createApp, sendText };
