# room() and service(): how the tree becomes libraries and programs.
#
# A room sees itself and the rooms it USES, and nothing else: its include root is a folder in the build tree with one link in
# it. An undeclared #include "bus/bus.h" is therefore "file not found".

# include_root(RET NAME FOLDER): the folder under which FOLDER is to be included as NAME/...
function(include_root ret name folder)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/rooms/${name})
  file(CREATE_LINK ${folder} ${CMAKE_BINARY_DIR}/rooms/${name}/${name} SYMBOLIC)
  set(${ret} ${CMAKE_BINARY_DIR}/rooms/${name} PARENT_SCOPE)
endfunction()

# Everybody who needs the bus gets the real one, except programs that say FAKE_BUS: the header is the seam, the linker chooses.
set(BUS $<IF:$<BOOL:$<TARGET_PROPERTY:FAKE_BUS>>,fake_bus,bus>)

# room(NAME [USES room...] [LINKS library...])
function(room name)
  cmake_parse_arguments(R "" "" "USES;LINKS" ${ARGN})
  list(TRANSFORM R_USES REPLACE "^bus$" "${BUS}")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c)
  list(FILTER sources EXCLUDE REGEX "/bus_compat\\.c$") # see foreign.cmake
  include_root(root ${name} ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${root})
    target_link_libraries(${name} PUBLIC ${R_USES} PRIVATE flags ${R_LINKS})
  else() # only headers as yet
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${root})
    target_link_libraries(${name} INTERFACE ${R_USES})
  endif()
  set_property(GLOBAL APPEND PROPERTY ROOMS ${name})
endfunction()

# program(NAME SERVICE MAIN): links a service's library and every room.
function(program name service main)
  get_property(rooms GLOBAL PROPERTY ROOMS)
  add_executable(${name} ${main})
  target_link_libraries(${name} PRIVATE flags ${service} ${rooms} PkgConfig::UV)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# service(NAME PROGRAM): all of services/NAME but main.c is a library, so that tests can have it; main.c makes the program.
# The library sees every room and is linked to none: a test links fewer, or the fake bus.
function(service name program)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
  file(GLOB main CONFIGURE_DEPENDS ${folder}/main.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  get_property(rooms GLOBAL PROPERTY ROOMS)
  list(TRANSFORM rooms PREPEND ${CMAKE_BINARY_DIR}/rooms/ OUTPUT_VARIABLE roots)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${folder} ${roots})
    target_link_libraries(${name} PRIVATE flags)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${folder} ${roots})
  endif()
  set_property(GLOBAL APPEND PROPERTY SERVICES ${name})
  if(main)
    program(${program} ${name} ${main})
  endif()
endfunction()
