# How a file below tests/ becomes a test. Its path says what it is; nobody registers it.
#
#   tests/unit/OF/test_X.c     -> unit.OF.X      OF a room: links it and what it uses. OF a service: links it and the pure
#                                                rooms only, so what does not link is not pure. OF a helper: links that.
#   tests/service/OF/test_X.c  -> service.OF.X   links OF and all rooms, with tests/support/fake in place of the bus
#   tests/fault/OF/test_X.c    -> fault.OF.X     the same; OF that is no service (world) links all of them
#   tests/system/test_X.c      -> system.X       real processes, one such test at a time (and one of those that only wait)
#   tests/chaos/test_X.c       -> chaos.X        the same, for SLUICE_CHAOS_MINUTES, only when asked for
#   tests/fuzz/fuzz_X.c        -> fuzz.X         with clang's libFuzzer (preset fuzz); else the corpus is replayed
#   tests/lint/X.sh            -> lint.X
#
# Every test runs in the source folder and finds in its environment: SLUICE_BIN (the programs of this build), SLUICE_TEST_BIN
# (the helper programs), NATS_SERVER, and the nats CLI on the PATH.

set(PURE_ROOMS base wire json problem run)
get_property(ALL_ROOMS GLOBAL PROPERTY ROOMS)
set(FAKED_ROOMS ${ALL_ROOMS})
list(TRANSFORM FAKED_ROOMS REPLACE "^bus$" "${BUS}")

# test_program(NAME SOURCE [LIBRARY...])
function(test_program name source)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE flags ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  if(NOT TESTS)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  add_dependencies(tests ${name})
endfunction()

# run_test(NAME LABEL SECONDS COMMAND...)
function(run_test name label seconds)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${seconds}
    ENVIRONMENT "SLUICE_BIN=${CMAKE_BINARY_DIR}/bin;SLUICE_TEST_BIN=${CMAKE_BINARY_DIR}/tests/bin;NATS_SERVER=${DEPS}/bin/nats-server;BUILD_DIR=${CMAKE_BINARY_DIR};UBSAN_OPTIONS=print_stacktrace=1"
    ENVIRONMENT_MODIFICATION "PATH=path_list_prepend:${DEPS}/bin")
endfunction()

# name_of(RET_OF RET_NAME FILE): the folder that a test file is in, and its own short name
function(name_of ret_of ret_name file)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(of ${folder} NAME)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX REPLACE "^(test|fuzz)_" "" name ${name})
  set(${ret_of} ${of} PARENT_SCOPE)
  set(${ret_name} ${name} PARENT_SCOPE)
endfunction()

function(unit_test file)
  name_of(of name ${file})
  set(t unit.${of}.${name})
  get_property(services GLOBAL PROPERTY SERVICES)
  if(TARGET ${of}_lib)
    test_program(${t} ${file} ${of}_lib support PkgConfig::CMOCKA)
  elseif(of IN_LIST services)
    test_program(${t} ${file} ${of} support ${PURE_ROOMS} PkgConfig::CMOCKA)
  elseif(of IN_LIST ALL_ROOMS)
    test_program(${t} ${file} ${of} support PkgConfig::CMOCKA)
  else()
    message(FATAL_ERROR "${file}: there is no room, service or helper '${of}'.")
  endif()
  if(of STREQUAL wire) # each codec is the other's witness
    target_link_libraries(${t} PRIVATE proto proto_witness)
  endif()
  run_test(${t} unit 180 ${t})
endfunction()

# service_test(FILE LABEL)
function(service_test file label)
  name_of(of name ${file})
  set(t ${label}.${of}.${name})
  get_property(services GLOBAL PROPERTY SERVICES)
  if(NOT of IN_LIST services)
    set(of ${services})
  endif()
  test_program(${t} ${file} ${of} support fake_bus ${FAKED_ROOMS} PkgConfig::UV PkgConfig::JANSSON PkgConfig::CMOCKA)
  set_target_properties(${t} PROPERTIES FAKE_BUS ON)
  run_test(${t} ${label} 300 ${t})
endfunction()

# nats_test(FILE): a service's part against a real nats-server
function(nats_test file)
  name_of(of name ${file})
  string(REGEX REPLACE "^nats_" "" name ${name})
  set(t service.${of}.${name})
  test_program(${t} ${file} ${of} support ${ALL_ROOMS} PkgConfig::UV PkgConfig::JANSSON PkgConfig::CMOCKA)
  run_test(${t} service 300 ${t})
endfunction()

# system_test(FILE LABEL SECONDS)
function(system_test file label seconds)
  name_of(of name ${file})
  set(t ${label}.${name})
  test_program(${t} ${file} support_system support ${ALL_ROOMS} nats PkgConfig::UV PkgConfig::JANSSON PkgConfig::CURL PkgConfig::CMOCKA)
  run_test(${t} ${label} ${seconds} ${t})
  set_tests_properties(${t} PROPERTIES RESOURCE_LOCK machine) # they measure time, and there are browsers
endfunction()

function(fuzz_test file)
  name_of(of name ${file})
  set(t fuzz.${name})
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(NOT IS_DIRECTORY ${corpus})
    message(FATAL_ERROR "${t} has no corpus: ${corpus}")
  endif()
  get_property(services GLOBAL PROPERTY SERVICES)
  test_program(${t} ${file} ${services} support ${ALL_ROOMS})
  if(FUZZER)
    set(found ${CMAKE_BINARY_DIR}/tests/found/${name}) # libFuzzer adds to the first folder it is given
    file(MAKE_DIRECTORY ${found})
    target_link_options(${t} PRIVATE -fsanitize=fuzzer)
    run_test(${t} fuzz 180 ${t} -max_total_time=60 -artifact_prefix=${found}/ ${found} ${corpus})
    # The same with a bug in it (tests/fuzz/planted.h): it is found, mostly within a minute, or nothing is.
    test_program(planted.${name} ${file} ${services} support ${ALL_ROOMS})
    target_compile_definitions(planted.${name} PRIVATE PLANTED)
    target_link_options(planted.${name} PRIVATE -fsanitize=fuzzer)
    run_test(planted.${name} fuzz 300 planted.${name} -max_total_time=240 -artifact_prefix=${CMAKE_BINARY_DIR}/tests/ ${found} ${corpus})
    set_tests_properties(planted.${name} PROPERTIES WILL_FAIL TRUE)
  else()
    target_sources(${t} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
    run_test(${t} fuzz 120 ${t} ${corpus})
  endif()
endfunction()

# helper_library(NAME FOLDER [LIBRARY...])
function(helper_library name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
  include_root(root support ${CMAKE_SOURCE_DIR}/tests/support)
  list(TRANSFORM ALL_ROOMS PREPEND ${CMAKE_BINARY_DIR}/rooms/ OUTPUT_VARIABLE roots)
  if(sources)
    add_library(${name} STATIC EXCLUDE_FROM_ALL ${sources})
    target_include_directories(${name} PUBLIC ${root} ${roots})
    target_link_libraries(${name} PRIVATE flags PUBLIC ${ARGN})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${root})
  endif()
endfunction()

# helper_program(NAME FOLDER OUTPUT [LIBRARY...]): what the demo and the system tests run beside the product. It is included as
# "FOLDER/x.h". All but main.c is a library, NAME_lib, for its own unit tests.
function(helper_program name folder output)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
  file(GLOB main CONFIGURE_DEPENDS ${folder}/main.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  set(libraries ${ARGN} nats PkgConfig::UV PkgConfig::JANSSON PkgConfig::CURL PkgConfig::MICROHTTPD m)
  get_filename_component(as ${folder} NAME)
  include_root(root ${as} ${folder})
  add_library(${name}_lib INTERFACE)
  if(sources)
    add_library(${name}_objects STATIC ${sources})
    target_include_directories(${name}_objects PUBLIC ${root})
    target_link_libraries(${name}_objects PRIVATE flags PUBLIC ${libraries})
    target_link_libraries(${name}_lib INTERFACE ${name}_objects)
  endif()
  if(main)
    add_executable(${name} ${main})
    target_include_directories(${name} PRIVATE ${root})
    target_link_libraries(${name} PRIVATE flags ${name}_lib ${libraries})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${output})
  endif()
endfunction()
