-- /etc/apache2/wardkeeper.lua: asks Wardkeeper whether a request may pass. If it may, the application is told who the person is; if it
-- may not, the person gets Wardkeeper's answer; if nobody could say, the person gets status 503.

-- Wardkeeper's socket. Its permissions say who may ask: the group of the socket must have the user that Apache runs as.
local pdp = "/run/wardkeeper/pdp.sock"
-- The bound of a question in seconds, from before connecting to the end of the answer, and that of an answer in bytes.
local timeout, max_answer = 1, 1048576

local socket, unix = require "socket", require "socket.unix"

-- Fields of the request that are about its body and its connection with Apache alone.
local not_asked = { ["host"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["expect"] = true, ["connection"] = true }
-- Fields of a refusal that the person gets.
local passed_on = { "Cache-Control", "Vary", "WWW-Authenticate", "Retry-After", "X-Request-ID" }
local refusals = { [400] = true, [401] = true, [403] = true, [503] = true }
local unavailable = {
	json = '{"title":"Service Unavailable","status":503,"code":"unavailable","detail":"Whether you may do this could not be found out. Try again."}',
	page = '<!doctype html><title>Service Unavailable</title><h1>Service Unavailable</h1><p>Whether you may do this could not be found out. Try again.</p>',
}

-- strip removes the fields of the request whose name has a pattern in lower case, with every character that is no letter or digit as
-- a hyphen: a CGI program reads X_Forwarded_Host as X-Forwarded-Host.
local function strip(r, pattern)
	for name in pairs(r:headers_in_table()) do
		if name:lower():gsub("[^a-z0-9]", "-"):find(pattern) then
			r.headers_in[name] = nil
		end
	end
end

-- id returns the id of the request, also in Wardkeeper's log: the person's, or another if that cannot be used. Apache joins two
-- with a space.
local function id(r)
	local sent = r.headers_in["X-Request-ID"] or ""
	if #sent <= 128 and sent:find("^[!-~]+$") then
		return sent
	end
	local random = assert(io.open("/dev/urandom", "rb"))
	local bytes = random:read(16)
	random:close()
	return (assert(bytes):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function question(r)
	local method, target = r.the_request:match("^(%S+) (%S+) HTTP/%d")
	local lines = {
		"GET /adapters/forward-auth HTTP/1.0", "Host: localhost",
		"X-Forwarded-Method: " .. (method or r.method),
		"X-Forwarded-Uri: " .. (target or ""),
		"X-Forwarded-Host: " .. (r.headers_in["Host"] or ""),
	}
	if r.user then -- of Apache's own authentication, for a route file with "subject: {header: X-Remote-User}"
		lines[#lines + 1] = "X-Remote-User: " .. r.user
	end
	for name, value in pairs(r:headers_in_table()) do
		if not not_asked[name:lower()] then
			lines[#lines + 1] = name .. ": " .. value
		end
	end
	for option in (r.headers_in["Connection"] or ""):gmatch("[^, \t]+") do
		if option:lower() ~= "keep-alive" then -- Wardkeeper is to close the connection, and to judge the other options
			lines[#lines + 1] = "Connection: " .. option
		end
	end
	for _, line in ipairs(lines) do
		assert(not line:find("[\r\n%z]"), "a field has a line break")
	end
	return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- exchange sends a question and returns the whole answer. What it opens, it closes.
local function exchange(text)
	local deadline, connection = socket.gettime() + timeout, unix.stream()
	local function within()
		connection:settimeout(math.max(deadline - socket.gettime(), 0), "t")
		return connection
	end
	local done, answer = pcall(function()
		assert(within():connect(pdp))
		assert(within():send(text))
		local whole, why, part = within():receive(max_answer)
		assert(not whole, "the answer is too long")
		assert(why == "closed", why)
		return part
	end)
	connection:close()
	assert(done, answer)
	return answer
end

-- parse returns an answer with the values of its fields by their names in lower case, or fails.
local function parse(text)
	local head, body = text:match("^(.-\r\n)\r\n(.*)$")
	assert(head, "the answer is not whole")
	local status = head:match("^HTTP/1%.[01] (%d%d%d) ")
	assert(status, "the answer is not HTTP")
	local fields = {}
	for name, value in head:gmatch("\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
		name = name:lower()
		assert(fields[name] == nil, "the answer has a field twice")
		fields[name] = value
	end
	local length = fields["content-length"]
	assert(not length or tonumber(length) == #body, "the answer is not whole")
	return { status = tonumber(status), fields = fields, body = body }
end

-- respond sends the person an answer, and ends the request. Nobody reads the body of the request then: the connection is closed, so that
-- it is not read as another request.
local function respond(r, status, content_type, body)
	if r.headers_in["Transfer-Encoding"] or (r.headers_in["Content-Length"] or "0") ~= "0" then
		r.subprocess_env["nokeepalive"] = "1"
	end
	r.status = status
	r.content_type = content_type
	r:puts(body)
	return apache2.DONE
end

local function judge(r)
	-- Only a proxy may set these; some frameworks take host and path from them. Wardkeeper itself refuses whoever sends X-Wardkeeper-Subject.
	strip(r, "^x%-forwarded%-")
	strip(r, "^forwarded$")
	strip(r, "^x%-remote%-user$")
	-- These have one spelling.
	for _, name in ipairs { "X-Request-ID", "Content-Length", "Transfer-Encoding" } do
		local value = r.headers_in[name]
		strip(r, "^" .. name:lower():gsub("%-", "%%-") .. "$")
		r.headers_in[name] = value
	end
	r.headers_in["X-Request-ID"] = id(r)
	local answer = parse(exchange(question(r)))
	local fields = answer.fields
	if refusals[answer.status] and fields["x-wardkeeper-status"] == tostring(answer.status) then
		for _, name in ipairs(passed_on) do
			r.err_headers_out[name] = fields[name:lower()]
		end
		return respond(r, answer.status, fields["content-type"], answer.body)
	end
	assert(answer.status == 200, "the answer has the status " .. answer.status)
	strip(r, "^x%-wardkeeper%-")
	for _, name in ipairs { "X-Wardkeeper-Subject", "X-Wardkeeper-Obligations", "X-Request-ID" } do
		r.headers_in[name] = assert(fields[name:lower()], "it is not Wardkeeper that answers: it does not set " .. name)
	end
	return apache2.OK
end

function ask(r)
	local done, status = pcall(judge, r)
	if done then
		return status
	end
	local id = r.headers_in["X-Request-ID"]
	r:err("Wardkeeper cannot be asked about the request " .. tostring(id) .. ": " .. tostring(status))
	r.err_headers_out["X-Request-ID"] = id
	r.err_headers_out["Cache-Control"] = "no-store"
	r.err_headers_out["Vary"] = "Accept"
	r.err_headers_out["Retry-After"] = "1"
	if (r.headers_in["Accept"] or ""):find("text/html", 1, true) then
		return respond(r, 503, "text/html; charset=utf-8", unavailable.page)
	end
	return respond(r, 503, "application/problem+json", unavailable.json)
end
