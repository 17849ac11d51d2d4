// SPDX-License-Identifier: MIT
// node:cluster: a primary that hands out connections to one process for each core, and forks again
// when one dies.  Usage: node cluster.js --port=PORT --cores=N [--guard]

'use strict';

const cluster = require('node:cluster');
const { readOptions } = require('./serve.js');

const KILL_MS = 12000; // longer than a worker takes to drain

function runPrimary(cores) {
  let stopping = false;

  cluster.on('exit', (worker, code, signal) => {
    if (stopping) {
      if (Object.keys(cluster.workers).length === 0) process.exit(0);
      return;
    }
    // One that never listened would fail again and again.
    if (!worker.listened) {
      console.error(`worker ${worker.process.pid} ended with ${signal || code} at its start`);
      process.exit(1);
    }
    cluster.fork();
  });
  cluster.on('listening', (worker) => {
    worker.listened = true;
  });

  const stop = () => {
    stopping = true;
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
    setTimeout(() => {
      for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
    }, KILL_MS).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  for (let i = 0; i < cores; i++) cluster.fork();
}

const options = readOptions();
if (cluster.isPrimary) runPrimary(options.cores);
else require('./http.js');
