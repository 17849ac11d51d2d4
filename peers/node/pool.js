// SPDX-License-Identifier: MIT
// A pool of worker threads: as many as asked for, one job at a time on each.  A thread is started
// when a job finds none idle, unless start() was called.  The queue has no bound, as in the pools
// that people install.

'use strict';

const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { pieceRounds } = require('./burn.js');

class Pool {
  constructor(size) {
    this.size = size;
    this.idle = [];
    this.waiting = [];
    this.threads = 0;
  }

  // All threads, ready for work.
  async start() {
    const ready = [];
    while (this.threads < this.size) ready.push(this.add());
    await Promise.all(ready);
  }

  // Resolves once the new thread is ready.
  add() {
    this.threads += 1;
    const worker = new Worker(path.join(__dirname, 'pool_worker.js'), {
      workerData: { pieceRounds },
    });
    worker.job = null;
    worker.on('error', (error) => this.finish(worker, 'reject', error));
    worker.on('exit', () => this.lose(worker));
    return new Promise((resolve) => {
      worker.on('message', (result) => {
        if (result.ready) resolve();
        else this.finish(worker, 'resolve', result.value);
        this.next(worker);
      });
    });
  }

  run(kind, milliseconds) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ kind, milliseconds, resolve, reject });
      if (this.idle.length > 0) this.next(this.idle.pop());
      else if (this.threads < this.size) this.add();
    });
  }

  finish(worker, how, value) {
    const job = worker.job;
    worker.job = null;
    if (job) job[how](value);
  }

  next(worker) {
    const job = this.waiting.shift();
    if (job === undefined) {
      this.idle.push(worker);
      return;
    }
    worker.job = job;
    worker.postMessage({ kind: job.kind, milliseconds: job.milliseconds });
  }

  // A thread that ended by itself is replaced if there is work for another.
  lose(worker) {
    this.threads -= 1;
    this.idle = this.idle.filter((other) => other !== worker);
    this.finish(worker, 'reject', new Error('the worker thread ended'));
    if (this.waiting.length > 0 && this.threads < this.size) this.add();
  }
}

module.exports = { Pool };
