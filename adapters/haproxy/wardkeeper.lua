-- /etc/haproxy/wardkeeper.lua: the action lua.wardkeeper asks Wardkeeper whether a request may pass. If it may, the variable
-- txn.wardkeeper is "pass"; if it may not, the person gets Wardkeeper's answer; if nobody could say, the action does nothing, and the
-- rules after it in haproxy.cfg refuse.

-- The listener in haproxy.cfg that passes questions on to Wardkeeper.
local endpoint = "http://127.0.0.1:8180/adapters/forward-auth"
-- The file with the token by which Wardkeeper knows this proxy. It is read when HAProxy starts.
local token_file = "/etc/haproxy/wardkeeper.token"

-- An answer must fit into a buffer of HAProxy. A longer body is replaced by the short one that the answer has in a field.
local max_body = 8192

local file = assert(io.open(token_file))
local token = file:read("a"):match("^%s*(%S+)%s*$")
file:close()
assert(token, token_file .. " must have one token")

-- Fields of the request that are about its body and its connection alone.
local not_asked = { ["host"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["expect"] = true }
-- Fields of a refusal that the person gets.
local passed_on = { "content-type", "cache-control", "vary", "www-authenticate", "retry-after", "x-request-id" }
local refusals = { [400] = true, [401] = true, [403] = true, [503] = true }

-- list returns the values of a field in order. HAProxy counts from 0.
local function list(values)
	local all = {}
	for i = 0, #values do
		all[#all + 1] = values[i]
	end
	return all
end

-- only returns the value of a field that the answer has once, or nil.
local function only(response, name)
	local values = response.headers[name]
	if values and values[0] and not values[1] then
		return values[0]
	end
end

-- target returns the request target that the application gets. Over HTTP/2 a request has no line: HAProxy writes it from the path.
local function target(txn)
	if txn.f:fc_http_major() == 2 then
		return txn.f:pathq()
	end
	return txn.f:url()
end

local function question(txn)
	local request, headers = txn.http:req_get_headers(), {}
	for name, values in pairs(request) do
		if not not_asked[name] then
			headers[name] = list(values)
		end
	end
	headers["x-forwarded-method"] = { txn.f:method() }
	headers["x-forwarded-uri"] = { target(txn) }
	headers["x-forwarded-host"] = { table.concat(list(request["host"] or {}), ",") }
	headers["x-wardkeeper-token"] = { token }
	return headers
end

local function refuse(txn, response)
	local reply = txn:reply({ status = response.status, body = "" })
	for _, name in ipairs(passed_on) do
		local value = only(response, name)
		if value then
			reply:add_header(name, value)
		end
	end
	local body = response.body or ""
	if #body > max_body then
		body = only(response, "x-wardkeeper-body") or ""
	end
	reply:set_body(body)
	txn:done(reply)
end

-- permit tells the application who the person is, and no more than that in fields of this kind.
local function permit(txn, subject, obligations, id)
	for name in pairs(txn.http:req_get_headers()) do
		if name:gsub("[^a-z0-9]", "-"):find("^x%-wardkeeper%-") then
			txn.http:req_del_header(name)
		end
	end
	txn.http:req_set_header("X-Wardkeeper-Subject", subject)
	txn.http:req_set_header("X-Wardkeeper-Obligations", obligations)
	txn.http:req_set_header("X-Request-ID", id)
	txn:set_var("txn.wardkeeper", "pass")
end

core.register_action("wardkeeper", { "http-req" }, function(txn)
	txn:unset_var("txn.wardkeeper")
	local response = core.httpclient():get({ url = endpoint, headers = question(txn), timeout = 1000 })
	if not response then
		return
	end
	if refusals[response.status] and only(response, "x-wardkeeper-status") == tostring(response.status) then
		return refuse(txn, response)
	end
	local subject = only(response, "x-wardkeeper-subject")
	local obligations = only(response, "x-wardkeeper-obligations")
	local id = only(response, "x-request-id")
	if response.status == 200 and subject and obligations and id then -- otherwise it is not Wardkeeper that answers
		permit(txn, subject, obligations, id)
	end
end)
