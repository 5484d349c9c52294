# The build rules that all native modules share. A module's Makefile has three lines: its name (MOD), its sources (SRC,
# the glue first: the linker fixes the entry jump before it places the sections) and the include of this file.
#
#   make -C native/metering ARCH=armv6m        one module, one chip
#   make -C native/metering help               the targets
#
# armv6m is the Pico (RP2040), armv7emsp the Pico 2 (RP2350), x64 the MicroPython unix port that the tests use.
ARCH ?= armv6m
NATIVE_DIR := $(dir $(lastword $(MAKEFILE_LIST)))
MICROPYTHON_TAG := $(shell cat $(NATIVE_DIR)../micropython.tag)
MPY_DIR ?= $(NATIVE_DIR)../.cache/micropython-$(MICROPYTHON_TAG)
BUILD ?= build/$(ARCH)

ifeq ($(wildcard $(MPY_DIR)/py/dynruntime.mk),)
$(error no MicroPython source in $(MPY_DIR): run tools/firmware --print source, or give MPY_DIR)
endif

# The chips have no 64-bit division or multiply-accumulate of their own: libgcc brings them.
ifneq ($(filter armv6m armv7emsp,$(ARCH)),)
LINK_RUNTIME = 1
endif

# Our own files compile without a warning. MicroPython's headers do not pass -Wextra, so they count as system headers, and
# its callbacks have parameters that a function may not need.
CFLAGS += -isystem $(MPY_DIR) -Wextra -Wno-unused-parameter

# Speed before size: the fold runs for every sample (MicroPython's own default is -Os).
CFLAGS_EXTRA += -O2

.DEFAULT_GOAL := module

## module: the .mpy of this module, in BUILD
.PHONY: module
module: $(BUILD)/$(MOD).mpy

include $(MPY_DIR)/py/dynruntime.mk

# The linker remembers the symbols of libgcc in the working folder, which saves seconds at each link: keep that in BUILD.
$(BUILD)/$(MOD).native.mpy: | .mpy_ld_cache
.mpy_ld_cache: | $(BUILD_DIRS)
	$(Q)$(MKDIR) -p $(BUILD)/linker
	$(Q)ln -sfn $(BUILD)/linker $@

# All of it is C, so what the linker makes is the module; nothing stays beside the sources.
$(BUILD)/$(MOD).mpy: $(BUILD)/$(MOD).native.mpy
	$(Q)$(RM) -rf .mpy_ld_cache
	$(Q)cp $< $@

$(SRC_O): $(wildcard *.h) $(NATIVE_DIR)native.mk $(NATIVE_DIR)../micropython.tag

## size: text, data and bss of each object file
.PHONY: size
size: module
	$(Q)$(CROSS)size $(SRC_O)

## clean: removes BUILD

## help: this list
.PHONY: help
help:
	$(Q)sed -n 's/^## //p' $(NATIVE_DIR)native.mk
