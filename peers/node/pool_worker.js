// SPDX-License-Identifier: MIT
// A thread of the pool: does one job after the other.

'use strict';

const { parentPort } = require('node:worker_threads');
const { burn } = require('./burn.js');

const never = new Int32Array(new SharedArrayBuffer(4));

const kinds = {
  burn,
  // Blocks the thread, as an old library does.
  block(milliseconds) {
    Atomics.wait(never, 0, 0, milliseconds);
  },
};

parentPort.on('message', ({ kind, milliseconds }) => {
  parentPort.postMessage({ value: kinds[kind](milliseconds) });
});
parentPort.postMessage({ ready: true });
