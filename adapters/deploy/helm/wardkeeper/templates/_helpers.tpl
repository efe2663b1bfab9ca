{{- define "wardkeeper.labels" -}}
{{ include "wardkeeper.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "wardkeeper.selector" -}}
app.kubernetes.io/name: wardkeeper
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wardkeeper.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "wardkeeper.isSidecar" -}}
{{ if .Values.application.containers }}yes{{ end }}
{{- end }}

{{- define "wardkeeper.settings" -}}
{{- $own := dict "log_format" "json" -}}
{{- if include "wardkeeper.isSidecar" . -}}
{{- $own = merge (dict "addr" "unix:/run/wardkeeper/pdp.sock") $own -}}
{{- else -}}
{{- if not (or .Values.tlsSecretName .Values.insecureTransport) -}}
{{- fail "set tlsSecretName, or insecureTransport: true where something else encrypts between pods" -}}
{{- end -}}
{{- $own = merge (dict "addr" "0.0.0.0:8181" "operations_addr" "0.0.0.0:8282" "token_file" "/run/secrets/wardkeeper/token") $own -}}
{{- if .Values.tlsSecretName -}}
{{- $own = merge (dict "tls_cert_file" "/run/secrets/wardkeeper-tls/tls.crt" "tls_key_file" "/run/secrets/wardkeeper-tls/tls.key") $own -}}
{{- end -}}
{{- end -}}
{{- $text := toYaml (mergeOverwrite $own (deepCopy .Values.settings)) -}}
{{- if regexMatch `://[^/@\s]*:[^/@\s]+@` $text -}}
{{- fail "settings have a password in an address, and would be in a ConfigMap: put it into the Secret, and name its file" -}}
{{- end -}}
{{- $text -}}
{{- end }}

{{- define "wardkeeper.container" -}}
name: wardkeeper
image: {{ include "wardkeeper.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, --config, /etc/wardkeeper/settings/wardkeeper.yaml]
securityContext:
  runAsUser: 65532
  runAsGroup: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- if include "wardkeeper.isSidecar" . }}
# No liveness probe: the kubelet does not reach the socket, and status tells of readiness, by which nothing should be restarted.
startupProbe:
  exec: {command: [/usr/bin/wardkeeper, status, --server, "unix:/run/wardkeeper/pdp.sock"]}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  exec: {command: [/usr/bin/wardkeeper, status, --server, "unix:/run/wardkeeper/pdp.sock"]}
  periodSeconds: 10
  timeoutSeconds: 5
{{- else }}
ports:
  - {name: api, containerPort: 8181}
  - {name: operations, containerPort: 8282}
# A large directory takes a while to load.
startupProbe:
  httpGet: {path: /health, port: operations, scheme: {{ include "wardkeeper.scheme" . }}}
  periodSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /health, port: operations, scheme: {{ include "wardkeeper.scheme" . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# Degraded is ready. Two failures, two seconds apart, take less than shutdown_delay.
readinessProbe:
  httpGet: {path: /ready, port: operations, scheme: {{ include "wardkeeper.scheme" . }}}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}
volumeMounts:
  - {name: settings, mountPath: /etc/wardkeeper/settings, readOnly: true}
{{- if .Values.files }}
  - {name: files, mountPath: /etc/wardkeeper/files, readOnly: true}
{{- end }}
{{- if .Values.secretName }}
  - {name: secret, mountPath: /run/secrets/wardkeeper, readOnly: true}
{{- end }}
{{- if .Values.tlsSecretName }}
  - {name: tls, mountPath: /run/secrets/wardkeeper-tls, readOnly: true}
{{- end }}
  - {name: state, mountPath: /var/lib/wardkeeper}
{{- if include "wardkeeper.isSidecar" . }}
  - {name: wardkeeper, mountPath: /run/wardkeeper}
{{- end }}
{{- end }}

{{- define "wardkeeper.scheme" -}}
{{ if .Values.tlsSecretName }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{- define "wardkeeper.volumes" -}}
- name: settings
  configMap: {name: {{ .Release.Name }}-settings}
{{- if .Values.files }}
- name: files
  secret: {secretName: {{ .Release.Name }}-files, defaultMode: 0440}
{{- end }}
{{- if .Values.secretName }}
- name: secret
  secret: {secretName: {{ .Values.secretName }}, defaultMode: 0440}
{{- end }}
{{- if .Values.tlsSecretName }}
- name: tls
  secret: {secretName: {{ .Values.tlsSecretName }}, defaultMode: 0440}
{{- end }}
- name: state
  {{- toYaml .Values.stateVolume | nindent 2 }}
{{- if include "wardkeeper.isSidecar" . }}
- name: wardkeeper
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
{{- end }}
