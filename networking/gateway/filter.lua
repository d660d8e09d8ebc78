-- Checks the key of a call and marks the call as accepted; docs/gateway.md tells the whole path.
-- A fault in here lets a call go on unmarked, and the filter behind this one stops those.

local ffi = require("ffi")
local bit = require("bit")

local MARK = "x-slipway-key"
local MARK_OF_OPEN_SERVICE = "-"
local LONGEST_KEY = 256
local LONGEST_BODY = 256 * 1024
local TAG_HASH = 17 -- "@" and 16 digits after the service's id
local FORGET_SECONDS = 600
local CALLS_BETWEEN_LOOKS = 256

-- SHA-256 -----------------------------------------------------------------------------------------

local FACTORS, START = ffi.new("int32_t[64]"), ffi.new("int32_t[8]")

-- The standard takes its numbers from the fractions of roots of the first 64 primes.
local function fill_numbers()
  local function fraction(root) return bit.tobit(math.floor(root % 1 * 2 ^ 32)) end
  local primes = {}
  local candidate = 2
  while #primes < 64 do
    local prime = true
    for _, smaller in ipairs(primes) do prime = prime and candidate % smaller ~= 0 end
    if prime then
      if #primes < 8 then START[#primes] = fraction(candidate ^ (1 / 2)) end
      FACTORS[#primes] = fraction(candidate ^ (1 / 3))
      primes[#primes + 1] = candidate
    end
    candidate = candidate + 1
  end
end
fill_numbers()

-- One round changes two of the eight numbers; turning their names instead of their values saves
-- six moves, so eight rounds are written out by this.
local function written_out_rounds()
  local names, lines = { "a", "b", "c", "d", "e", "f", "g", "h" }, {}
  for round = 0, 7 do
    local name = {}
    for place = 1, 8 do name[names[place]] = names[(place - 1 - round) % 8 + 1] end
    local text = [[
      t = tobit($h + bxor(ror($e, 6), ror($e, 11), ror($e, 25)) + bxor($g, band($e, bxor($f, $g)))
        + factors[i + ROUND] + words[i + ROUND])
      $d = tobit($d + t)
      $h = tobit(t + bxor(ror($a, 2), ror($a, 13), ror($a, 22)) + bxor(band($a, bxor($b, $c)), band($b, $c)))
    ]]
    lines[#lines + 1] = text:gsub("ROUND", tostring(round)):gsub("%$(%l)", name)
  end
  return table.concat(lines)
end

local mix = loadstring([[
  local bit, factors, words, state = ...
  local band, bxor, ror, tobit = bit.band, bit.bxor, bit.ror, bit.tobit
  return function()
    local a, b, c, d, e, f, g, h = state[0], state[1], state[2], state[3],
      state[4], state[5], state[6], state[7]
    local t
    for i = 0, 56, 8 do
]] .. written_out_rounds() .. [[
    end
    state[0], state[1] = tobit(state[0] + a), tobit(state[1] + b)
    state[2], state[3] = tobit(state[2] + c), tobit(state[3] + d)
    state[4], state[5] = tobit(state[4] + e), tobit(state[5] + f)
    state[6], state[7] = tobit(state[6] + g), tobit(state[7] + h)
  end
]], "=sha256")

local words, state = ffi.new("int32_t[64]"), ffi.new("int32_t[8]")
local mix_block = mix(bit, FACTORS, words, state)
local message = ffi.new("uint8_t[?]", LONGEST_KEY + 64)
local message_words = ffi.cast("int32_t*", message)
local bswap, bxor, ror, rshift, tobit = bit.bswap, bit.bxor, bit.ror, bit.rshift, bit.tobit

local function fill_words(first)
  for i = 0, 15 do words[i] = bswap(message_words[first + i]) end
  for i = 16, 63 do
    local early, late = words[i - 15], words[i - 2]
    words[i] = tobit(words[i - 16] + words[i - 7]
      + bxor(ror(early, 7), ror(early, 18), rshift(early, 3))
      + bxor(ror(late, 17), ror(late, 19), rshift(late, 10)))
  end
end

-- The 32 bytes of the SHA-256 of at most LONGEST_KEY bytes.
local function sha256(text)
  local length = #text
  local blocks = rshift(length + 8, 6) + 1
  ffi.fill(message, blocks * 64)
  ffi.copy(message, text, length)
  message[length] = 128
  message_words[blocks * 16 - 1] = bswap(length * 8)
  ffi.copy(state, START, 32)
  for block = 0, blocks - 1 do
    fill_words(block * 16)
    mix_block()
  end
  for i = 0, 7 do state[i] = bswap(state[i]) end
  return ffi.string(state, 32)
end

-- What is known of a service ----------------------------------------------------------------------

-- Envoy copies all of a service's metadata for whoever asks, so each worker keeps its own copy of a
-- version of it. What no call needed for a while is forgotten: `recent` becomes `older`, which goes.
local recent, older = {}, {}
local calls, turned_at = 0, os.time()

local function turn_generations()
  calls = 0
  local now = os.time()
  if now - turned_at >= FORGET_SECONDS then recent, older, turned_at = {}, recent, now end
end

local function bytes_of(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function keys_from(metadata)
  local keys = {}
  for digest, value in pairs(metadata) do
    local id, enabled, expires = value:match("^([^;]+);([01]);(%d+)$")
    keys[bytes_of(digest)] = { id = id, enabled = enabled == "1", expires = tonumber(expires) }
  end
  return keys
end

local function service_of(handle)
  local context = handle:filterContext()
  local tag = context:get("tag")
  if not tag then return nil end
  calls = calls + 1
  if calls >= CALLS_BETWEEN_LOOKS then turn_generations() end
  local id = tag:sub(1, -1 - TAG_HASH)
  local known = recent[id] or older[id]
  if not known or known.tag ~= tag then
    known = {
      tag = tag,
      path = "/" .. id,
      refusal = context:get("refusal"),
      retry_after = context:get("retry_after"),
      keys = context:get("auth") and keys_from(handle:virtualHost():metadata()),
    }
  end
  recent[id] = known
  return known
end

-- Refusals ----------------------------------------------------------------------------------------

-- `error` is the error's members as JSON; the answer adds the id of the request.
local function refuse(handle, status, code, error, more)
  local id = handle:headers():get("x-request-id") or ""
  local headers = { [":status"] = status, ["content-type"] = "application/json", ["x-request-id"] = id }
  for name, value in pairs(more or {}) do headers[name] = value end
  handle:streamInfo():dynamicMetadata():set("slipway", "refused", code)
  handle:respond(headers, '{"error":{' .. error .. ',"request_id":"' .. id .. '"}}')
end

local function refuse_key(handle, code, message)
  local error = '"message":"' .. message .. '","type":"authentication_error","param":null,"code":"' .. code .. '"'
  refuse(handle, "401", code, error, { ["www-authenticate"] = "Bearer" })
end

local function refuse_unknown(handle)
  refuse(handle, "404", "service_not_found", '"message":"No service has this address. Copy it from'
    .. ' the page of the service.","type":"invalid_request_error","param":null,"code":"service_not_found"')
end

-- Keys --------------------------------------------------------------------------------------------

local function bare_key(presented)
  return presented:match("^%s*[Bb][Ee][Aa][Rr][Ee][Rr]%s+(%S+)%s*$") or presented:match("^%s*(%S+)%s*$")
end

-- The mark of an accepted call; nothing once the call is refused.
local function checked(handle, keys, presented)
  if not presented or presented == "" then
    return refuse_key(handle, "missing_api_key", "Send an API key of this service in Authorization.")
  end
  local text = bare_key(presented)
  local key = text and #text <= LONGEST_KEY and keys[sha256(text)]
  if not key then
    return refuse_key(handle, "invalid_api_key", "This is not an API key of this service.")
  end
  if not key.enabled then
    return refuse_key(handle, "disabled_api_key", "This API key is disabled.")
  end
  if key.expires > 0 and os.time() >= key.expires then
    return refuse_key(handle, "expired_api_key", "This API key has expired.")
  end
  return key.id
end

-- "stream": "false" -------------------------------------------------------------------------------

local QUOTE, OPENING = 34, { [91] = true, [123] = true } -- [ and {

-- The position after a string that begins before `position`; nothing when it does not end.
local function after_string(text, position)
  while true do
    local stop = text:find('["\\]', position)
    if not stop then return nil end
    if text:byte(stop) == QUOTE then return stop + 1 end
    position = stop + 2
  end
end

-- The text with the member "stream" of the outermost object as a boolean; nothing if it was right.
local function with_boolean_stream(text)
  if not text:find("^%s*{") then return nil end
  local depth, position, copied, parts = 0, 1, 1, {}
  while true do
    local at = text:find('["{}%[%]]', position)
    if not at then break end
    local byte = text:byte(at)
    position = at + 1
    if byte == QUOTE then
      local before, word, after = text:match('^stream"%s*:%s*()"(%l+)"()', position)
      if depth == 1 and (word == "true" or word == "false") then
        parts[#parts + 1] = text:sub(copied, before - 1) .. word
        copied, position = after, after
      else
        position = after_string(text, position)
        if not position then break end
      end
    else
      depth = depth + (OPENING[byte] and 1 or -1)
    end
  end
  if copied > 1 then return table.concat(parts) .. text:sub(copied) end
end

local function may_have_stream(headers, path)
  local length = tonumber(headers:get("content-length") or "")
  if not length or length == 0 or length > LONGEST_BODY then return false end
  local asked = headers:get(":path") or ""
  local api = asked:find("/v1/", 1, true)
  if api ~= 1 and (api ~= #path + 1 or asked:sub(1, #path) ~= path) then return false end
  if headers:get(":method") ~= "POST" then return false end
  local kind = headers:get("content-type") or ""
  return kind == "application/json" or kind:lower():find("^application/json%s*;") ~= nil
end

local function correct_stream(handle)
  local body = handle:body()
  if not body then return end
  local text = body:getBytes(0, body:length())
  local corrected = text:find('"stream"', 1, true) and with_boolean_stream(text)
  if not corrected then return end
  local length = body:setBytes(corrected)
  -- Waiting for the body ended the life of the former headers object.
  handle:headers():replace("content-length", tostring(length))
end

-- A call ------------------------------------------------------------------------------------------

function envoy_on_request(handle)
  local service = service_of(handle)
  if not service then return refuse_unknown(handle) end
  local headers = handle:headers()
  local presented = headers:get("authorization")
  local mark = MARK_OF_OPEN_SERVICE
  if service.keys then
    mark = checked(handle, service.keys, presented)
    if not mark then return end
  end
  if service.refusal then
    local code = service.refusal:match('"code":"([^"]*)"$')
    return refuse(handle, "503", code, service.refusal, { ["retry-after"] = service.retry_after })
  end
  if presented then headers:remove("authorization") end
  headers:add(MARK, mark)
  if may_have_stream(headers, service.path) then correct_stream(handle) end
end
