// SPDX-License-Identifier: MIT
// The usual guard of a Node service: while the event loop runs late, requests are answered 503.
//
// The method is that of the under-pressure plugin, the mean delay of the loop over a period, made
// stronger in two ways: the period is a tenth of a second instead of a whole one, and a turn of
// the loop that has lasted too long already lets in no more, instead of being seen at its end.

'use strict';

const { monitorEventLoopDelay } = require('node:perf_hooks');
const { sendText } = require('./app.js');

const RESOLUTION_MS = 10;
const PERIOD_MS = 100;
const DELAY_MAX_MS = 100;

function guard(listener) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let late = false;
  setInterval(() => {
    // No sample in a whole period: the loop came to nothing else.
    const delay = histogram.count > 0 ? histogram.mean / 1e6 - RESOLUTION_MS : Infinity;
    late = delay > DELAY_MAX_MS;
    histogram.reset();
  }, PERIOD_MS).unref();

  let turned = performance.now();
  setInterval(() => {
    turned = performance.now();
  }, RESOLUTION_MS).unref();

  return (request, response) => {
    const tooLong = performance.now() - turned > DELAY_MAX_MS;
    if ((late || tooLong) && request.url !== '/healthz') {
      sendText(response, 503, 'overloaded\n', { 'Retry-After': '1', Connection: 'close' });
    } else {
      listener(request, response);
    }
  };
}

module.exports = { guard };
