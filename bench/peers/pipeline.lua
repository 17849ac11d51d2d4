-- SPDX-License-Identifier: MIT
-- For wrk: sixteen requests at a time, the next sixteen when all are answered.

local block

function init()
   local requests = {}
   for i = 1, 16 do
      requests[i] = wrk.format()
   end
   block = table.concat(requests)
end

function request()
   return block
end
