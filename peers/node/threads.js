// SPDX-License-Identifier: MIT
// Node's http with worker_threads: the main thread speaks HTTP, CPU work and blocking calls go to
// pools.  Threads share no objects; jobs and results are copied.
// Usage: node threads.js --port=PORT --cores=N

'use strict';

const { createApp } = require('./app.js');
const { Pool } = require('./pool.js');
const { readOptions, serve } = require('./serve.js');

async function main() {
  const options = readOptions();
  const workers = new Pool(options.cores);
  const blockers = new Pool(4); // apart: who blocks must not keep those waiting who compute
  await workers.start();
  serve(createApp({
    burn: (milliseconds) => workers.run('burn', milliseconds),
    block: (milliseconds) => blockers.run('block', milliseconds),
  }), options.port);
}

main();
