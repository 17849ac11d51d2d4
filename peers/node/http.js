// SPDX-License-Identifier: MIT
// Node's http as it comes: one process, one thread for all handlers.  Blocking calls have a pool of
// four threads, as many as Node's own pool has for what addons do.
// Usage: node http.js --port=PORT [--guard]

'use strict';

const { createApp } = require('./app.js');
const { burn } = require('./burn.js');
const { guard } = require('./guard.js');
const { Pool } = require('./pool.js');
const { readOptions, serve } = require('./serve.js');

const options = readOptions();
const pool = new Pool(4);
const app = createApp({ burn, block: (milliseconds) => pool.run('block', milliseconds) });
serve(options.guard ? guard(app) : app, options.port);
