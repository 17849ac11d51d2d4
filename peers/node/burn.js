// SPDX-License-Identifier: MIT
// Burning CPU time: multiplications in pieces of about 50 us, until the clock of the thread says
// that it is enough.  A request so costs the same on a slow day of the machine as on a fast one.
//
// Node before 22 has no clock of one thread.  The main thread, which does nearly all that its
// process does, then reads the clock of the process; a worker thread counts the pieces that the
// calibration at the start found to make a millisecond.

'use strict';

const { isMainThread, workerData } = require('node:worker_threads');

const PIECE_MICROSECONDS = 50;
const PROBE_ROUNDS = 400000;
const PROBES = 12; // the first few run before the compiler has seen the loop

function multiply(value, rounds) {
  for (let i = 0; i < rounds; i++) {
    value = (Math.imul(value, 1664525) + 1013904223) | 0;
  }
  return value;
}

// Microseconds of CPU time, of this thread where Node can tell.
function usedMicroseconds() {
  const used = process.threadCpuUsage ? process.threadCpuUsage() : process.cpuUsage();
  return used.user + used.system;
}

// The rounds of one piece, from the fastest probe: whatever interferes only makes one slower.
function calibrate() {
  let best = Infinity;
  let value = 1;
  for (let i = 0; i < PROBES; i++) {
    const began = usedMicroseconds();
    value = multiply(value, PROBE_ROUNDS);
    const used = usedMicroseconds() - began;
    if (used > 0) best = Math.min(best, used);
  }
  return Math.max(100, Math.round((PROBE_ROUNDS * PIECE_MICROSECONDS) / best));
}

const inherited = workerData && workerData.pieceRounds;
const pieceRounds = inherited || calibrate();
const hasOwnClock = isMainThread || process.threadCpuUsage !== undefined;
if (inherited) calibrate(); // for its other effect: the loop is compiled before the first request

function burn(milliseconds) {
  let value = milliseconds | 0;
  if (hasOwnClock) {
    const end = usedMicroseconds() + milliseconds * 1000;
    while (usedMicroseconds() < end) value = multiply(value, pieceRounds);
  } else {
    const pieces = (milliseconds * 1000) / PIECE_MICROSECONDS;
    for (let i = 0; i < pieces; i++) value = multiply(value, pieceRounds);
  }
  return (value >>> 0).toString(16).padStart(16, '0');
}

module.exports = { burn, pieceRounds };
