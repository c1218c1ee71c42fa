# Two commands do all the set-up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
OUT := out/demo
# another PYTHON makes the environment anew
READY := $(VENV)/.ready-$(notdir $(PYTHON))
SECOND := $(VENV)-second
MEDIAPIPE := $(VENV)-mediapipe
TFMOT := $(VENV)-tfmot
UV := $(VENV)-uv/bin/uv
SHIPPED := runs/shipped

# Refiners that the web demo offers beside the package's own; PORT of its server.
REFINERS := out/demo/models
PORT := 8322
NPM := web_demo/node_modules/.ready

.PHONY: examples reference house fuzz web web-serve test-web demo test lint environment second-runtime mediapipe tfmot test-tfmot locks shipped picture models apk test-android android-picture android-assets clean

# A file that a gate refuses (exit code 1) does not stop the demo: the closing table says which, and why is in the report.
demo: environment
	@clip=$$($(PY) -m climb_edge fetch --only demo.mp4) && videos=$$(dirname "$$clip") && mkdir -p $(OUT) && \
	echo "[1/4] annotate: targets from the offline teacher" && \
	$(PY) -m train annotate "$$clip" --out $(OUT)/clips.npz && \
	echo "[2/4] train: finetune the shipped Conv3D" && \
	rm -rf $(OUT)/run && \
	$(PY) -m train --data $(OUT)/clips.npz --videos "$$videos" --epochs 8 --out $(OUT)/run && \
	echo "[3/4] convert: four recipes, checked against the Keras model" && \
	{ $(PY) -m convert $(OUT)/run --out $(OUT) || [ $$? -eq 1 ]; } && \
	echo "[4/4] track: the clip through the converted refiner" && \
	$(PY) -m climb_edge track "$$clip" --people 2 --refiner $(OUT)/models/conv3d.window-all.float16.tflite --out $(OUT) && \
	$(PY) -m convert show $(OUT)

# Without software Vulkan (no apt here, no network) the GPU tests are skipped and say so.
test: environment lint second-runtime
	@$(PY) -m climb_edge fetch --only vulkan || echo "the GPU tests will be skipped"
	$(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup

lint: environment
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The packages in figures: folders, floors, arrows, circles. tests/test_house.py says what they may be.
house: environment
	@$(PY) tests/test_house.py

# Changed inputs for every reader of files, SECONDS_EACH for each; what gets through is a failure.
SECONDS_EACH := 10
fuzz: environment
	$(PY) tests/fuzz/run.py --seconds $(SECONDS_EACH)

environment: $(READY)

$(READY): locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] <= (3, 13))' || \
	{ echo "error: Python 3.11 to 3.13 is needed, $$($(PYTHON) --version) found; name one with make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# An older release of the TFLite runtime, to compare a file's outputs with: wheels for Python 3.11 at most, and NumPy 1.
second-runtime:
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) or sys.platform != "linux")'; \
	then $(MAKE) -s $(SECOND)/.ready; \
	else echo "the second runtime is skipped: it needs Python 3.11 on Linux, $(PYTHON) is $$($(PYTHON) --version)"; fi

$(SECOND)/.ready: locks/second.txt
	$(PYTHON) -m venv --clear $(SECOND)
	$(SECOND)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/second.txt
	@touch $@

# MediaPipe's own pose solution, for `climb-edge benchmark --mediapipe`: it wants NumPy 1 and 1 GB of disk.
mediapipe: $(MEDIAPIPE)/.ready

$(MEDIAPIPE)/.ready: locks/mediapipe.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
	{ echo "error: mediapipe 0.10.21 has wheels for Python 3.11 and 3.12, $$($(PYTHON) --version) found; name one with make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv --clear $(MEDIAPIPE)
	$(MEDIAPIPE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/mediapipe.txt
	@touch $@

# The development environment with tensorflow-model-optimization, for `--qat tfmot`: whole TensorFlow in place of tensorflow-cpu.
tfmot: $(TFMOT)/.ready

$(TFMOT)/.ready: locks/tfmot.txt pyproject.toml
	$(PYTHON) -m venv --clear $(TFMOT)
	$(TFMOT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/tfmot.txt
	$(TFMOT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test-tfmot: tfmot
	$(TFMOT)/bin/python -m pytest tests/train/fitting/test_tfmot.py

# One lock file per environment; names, versions and hashes, no index address.
locks:
	$(PYTHON) -m venv $(VENV)-uv && $(VENV)-uv/bin/pip install --quiet uv
	$(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url \
	--no-header --extra train --extra test --output-file locks/dev.txt
	$(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url \
	--no-header --output-file locks/edge.txt
	printf 'tflite-runtime==2.14.0\nnumpy<2\n' | $(UV) pip compile - --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --output-file locks/second.txt
	printf 'mediapipe==0.10.21\nnumpy<2\n' | $(UV) pip compile - --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-header --output-file locks/mediapipe.txt
	printf 'tflite-runtime==2.14.0\nnumpy>=1.26,<2\nopencv-python-headless>=4.10.0.84,<4.12\nav>=17\ntqdm>=4.60\n' | \
	$(UV) pip compile - --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url \
	--no-header --output-file locks/edge-tflite.txt
	printf "tensorflow-cpu; sys_platform == 'never'\ntensorflow==2.21.*\n" > $(VENV)-uv/override.txt
	$(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url \
	--no-header --extra train --extra test --extra tfmot --override $(VENV)-uv/override.txt --output-file locks/tfmot.txt

# The shipped weights and the refiner inside the edge package, rebuilt from generated motion and motion capture alone.
shipped: environment
	@test -n "$(CLIMB_EDGE_DATA)" || { echo "error: CLIMB_EDGE_DATA must name the folder with cmu_climb.npz"; exit 2; }
	$(PY) -m train study --config shipped --out $(SHIPPED)
	cp $(SHIPPED)/conv3d.blazepose.0/pretrain/best.weights.h5 train/weights/conv3d.weights.h5
	cp $(SHIPPED)/deciwatch.blazepose.0/pretrain/best.weights.h5 train/weights/deciwatch.weights.h5
	$(PY) -m train pretrain --preset shipped_mixer --data generated --data $(CLIMB_EDGE_DATA)/cmu_climb.npz --out $(SHIPPED)/mixer
	cp $(SHIPPED)/mixer/best.weights.h5 train/weights/joint_mixer.weights.h5
	$(PY) -m convert $(SHIPPED)/mixer --form step-newest --recipe float16 --out $(SHIPPED)
	cp $(SHIPPED)/models/joint_mixer.step-newest.float16.tflite climb_edge/refiners/default.tflite

# The picture of README.md, from what `make demo` left.
picture: environment
	@clip=$$($(PY) -m climb_edge fetch --only demo.mp4) && mkdir -p docs && \
	$(PY) -m climb_edge track "$$clip" --people 2 --seconds 5.1 --picture 5 --out out/picture \
	--refiner $(OUT)/models/conv3d.window-all.float16.tflite && cp out/picture/overlay.jpg docs/overlay.jpg

# Five short scripts that use the packages from Python; each says what it shows in its first line.
examples: environment
	@for name in track_video stream_frames own_estimator train_refiner convert_run; do \
	echo "examples/$$name.py" && $(PY) examples/$$name.py || exit 1; done

# docs/reference.md: every option of every command, from its declaration.
reference: environment
	$(PY) docs/make_reference.py

# The table of docs/models.md: every model and form as a file, on CPU and GPU.
models: environment
	$(PY) -m climb_edge fetch --only vulkan
	$(PY) -m convert models --out docs/models.md

# The Android app, without an SDK: JDK 17 or newer, Maven, gcc and, of Debian, apksigner zipalign dexdump. BUNDLE names a folder
# of `python -m convert --bundle`, whose refiners go in too; CLIMB_EDGE_KEYSTORE and its like (android_demo/tools/apk/build.py)
# a key to sign with, else a debug key is made.
ANDROID := android_demo/build
ANDROID_TYPES := @nativescript/types-android@9.1.1
MAVEN := cd android_demo && mvn --batch-mode --quiet

apk: android-assets
	$(MAVEN) -DskipTests package
	@cat $(ANDROID)/app/apk.txt

# The app's own code on its own runtime, here: core, whole chain, GPU delegate, Activity, then the APK. Also needs, of Debian,
# libegl1 libgles2 libegl-mesa0 libgl1-mesa-dri (software OpenGL ES), npm (a list of Android's public methods), and the
# development environment, which makes the golden vectors. The first run fetches 620 MB from Maven Central.
test-android: android-assets
	cd android_demo/tools && PYTHONPATH=$(CURDIR) $(CURDIR)/$(PY) -m golden ../build/golden ../build/assets
	rm -rf $(ANDROID)/*/surefire-reports
	$(MAVEN) package
	$(PY) android_demo/tools/tested.py $(ANDROID)
	@cp $(ANDROID)/app/unsigned.apk $(ANDROID)/first.apk && \
	rm -rf $(ANDROID)/app/classes $(ANDROID)/core/classes $(ANDROID)/app/dex $(ANDROID)/app/resources.apk $(ANDROID)/app/unsigned.apk
	$(MAVEN) -DskipTests package
	@cmp $(ANDROID)/first.apk $(ANDROID)/app/unsigned.apk && echo "built twice from source: the same bytes before signing"
	@mkdir -p $(ANDROID)/api && cd $(ANDROID)/api && npm pack --silent $(ANDROID_TYPES) >/dev/null && tar xzf *.tgz
	$(PY) android_demo/tools/apk/api.py $(ANDROID)/climb-edge-demo.apk $(ANDROID)/api/package/lib/android/android-platform-37.d.ts 26 34
	@cat $(ANDROID)/app/apk.txt

# The pictures of android_demo/README.md, from what `make test-android` drew.
android-picture:
	@mkdir -p android_demo/docs && cp $(ANDROID)/screenshots/portrait.png $(ANDROID)/screenshots/landscape.png android_demo/docs/

android-assets: environment
	@for tool in mvn gcc keytool apksigner zipalign dexdump; do command -v $$tool >/dev/null || \
	{ echo "error: $$tool is needed to build the app and was not found; install a JDK, maven, gcc, apksigner, zipalign and dexdump"; exit 2; }; done
	@PYTHONPATH=. $(PY) android_demo/tools/assets.py $(ANDROID)/assets $(BUNDLE)

# The page that runs the refiners in a browser: a folder for any static host.
web: environment $(NPM)
	@$(PY) web_demo/tools/build.py --out out/web --refiners $(REFINERS)

web-serve:
	@$(PY) web_demo/tools/serve.py out/web $(PORT)

# In Debian's Chromium, on wasm and on WebGPU in software, against what Python computes.
test-web: web
	@command -v chromium >/dev/null || { echo "error: the browser tests need chromium: apt-get install chromium"; exit 2; }
	@$(PY) web_demo/tools/vectors.py out/web-test
	@$(PY) web_demo/tools/fixtures.py out/web-test out/web
	node --test --test-concurrency=2 web_demo/test/*.test.mjs

$(NPM): web_demo/package-lock.json
	@command -v npm >/dev/null && node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || \
	{ echo "error: the web demo needs node 20 or later with npm"; exit 2; }
	npm --prefix web_demo ci --silent
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-uv $(SECOND) $(MEDIAPIPE) $(TFMOT) out runs build $(ANDROID) *.egg-info
