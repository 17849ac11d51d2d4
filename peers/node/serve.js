// SPDX-License-Identifier: MIT
// What Node's servers share: the command line, listening, and an orderly end.

'use strict';

const http = require('node:http');
const { parseArgs } = require('node:util');

const DRAIN_MS = 10000;

function readOptions() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8080' },
      cores: { type: 'string', default: '1' },
      guard: { type: 'boolean', default: false },
    },
  });
  const options = { port: Number(values.port), cores: Number(values.cores), guard: values.guard };
  if (!Number.isInteger(options.port) || options.port < 0 || options.port > 65535) {
    throw new Error(`--port=${values.port}: a number from 0 to 65535 is needed`);
  }
  if (!Number.isInteger(options.cores) || options.cores < 1 || options.cores > 1024) {
    throw new Error(`--cores=${values.cores}: a number from 1 to 1024 is needed`);
  }
  return options;
}

// Listens until SIGTERM or SIGINT, then answers what is in flight and ends.
function serve(listener, port) {
  const server = http.createServer(listener);
  server.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  server.listen(port, '127.0.0.1');

  const stop = () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), DRAIN_MS).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

module.exports = { readOptions, serve };
