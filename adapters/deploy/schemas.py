# Unpacks the JSON schemas of a version of Kubernetes for kubeconform, from the wheel of kubernetes-validate: schemas.py WHEEL VERSION FOLDER.
import json, sys, zipfile
wheel, version, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        if f"/v{version}-local-strict/" in name and name.endswith(".json"):
            schema = json.loads(z.read(name).replace(b'"/api/_definitions.json', b'"_definitions.json'))
            for key in ("$id", "id", "$schema"):
                schema.pop(key, None)
            with open(f"{folder}/{name.rsplit('/', 1)[1]}", "w") as f:
                json.dump(schema, f)
